//! The custom resource `VibeTalkCluster`, one file for each part of its spec.

mod auth;
mod autoscaling;
mod drain;
mod exposure;
mod mongodb;
mod monitoring;
mod network_policy;
mod official_group;
mod pod;
mod rabbitmq;
#[cfg(test)]
mod rules;
mod status;

use k8s_openapi::api::core::v1::LocalObjectReference;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ClientLimits;

pub use auth::Auth;
pub use autoscaling::{Autoscaling, Keda};
pub use drain::Drain;
pub use exposure::{
    Exposure, GatewayExposure, GatewayRef, IngressController, IngressExposure, IngressPath, IngressTls,
};
pub use mongodb::MongoDb;
pub use monitoring::{Monitoring, PodMonitor, Rules};
pub use network_policy::NetworkPolicy;
pub use official_group::OfficialGroup;
pub use pod::{EnvironmentVariable, ImagePullPolicy, PodSettings, TopologySpread, WhenUnsatisfiable};
pub use rabbitmq::{DeletionPolicy, RabbitMq, RabbitMqClusterRef};
pub use status::{TopologyStatus, TopologyStep, VibeTalkClusterStatus};

/// A chat service: its nodes, its partitions in the broker, its store and the way to it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vibetalk.dev",
    version = "v1alpha1",
    kind = "VibeTalkCluster",
    plural = "vibetalkclusters",
    singular = "vibetalkcluster",
    shortname = "vtc",
    category = "vibetalk",
    namespaced,
    doc = "A chat service on Kubernetes: chat nodes, their partitions in RabbitMQ, their store in MongoDB, and the way to them.",
    status = "VibeTalkClusterStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "Partitions", type_ = "integer", json_path = ".status.topology.partitions"),
    printcolumn(name = "Routing", type_ = "string", json_path = ".status.topology.routing"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = (
        "size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name is also the name of a Service: at most 63 of a-z, 0-9 and -, beginning with a letter"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.autoscaling) || has(self.replicas)",
    "spec.replicas is required with spec.autoscaling: it is the number to start from"
))]
pub struct VibeTalkClusterSpec {
    /// Wanted number of chat nodes; 2 if absent, none if 0: the cluster then sleeps until it is more. Written by
    /// users, `kubectl scale` or an autoscaler, never by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 500))]
    pub replicas: Option<i32>,

    /// Image of the chat node. The one released with the operator if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// When the image is pulled; Kubernetes' rule if absent: always for the tag `latest`, else when it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// Secrets with which the image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// The broker and this cluster's partitions in it.
    pub rabbitmq: RabbitMq,

    /// The store.
    pub mongodb: MongoDb,

    /// How users' tokens are verified.
    pub auth: Auth,

    /// The group that everyone is a member of.
    #[serde(default)]
    pub official_group: OfficialGroup,

    /// Lets an autoscaler set `spec.replicas`, by CPU use, by connections or by anything else that is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// The way in from outside the Kubernetes cluster; only a `Service` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,

    /// What one user, one address and one chat node may use.
    #[serde(default, skip_serializing_if = "ClientLimits::is_empty")]
    pub limits: ClientLimits,

    /// How a chat node that must end moves its users to the others.
    #[serde(default)]
    pub drain: Drain,

    /// Objects of the Prometheus operator, made where the Kubernetes cluster has their kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<Monitoring>,

    /// Who may reach the chat nodes, and whom they may reach.
    #[serde(default)]
    pub network_policy: NetworkPolicy,

    /// Resources and scheduling of the chat nodes.
    #[serde(default)]
    pub pod: PodSettings,

    /// Observe and report, change nothing.
    #[serde(default)]
    pub paused: bool,
}

impl VibeTalkClusterSpec {
    /// Number of chat nodes where `replicas` is absent.
    pub const DEFAULT_REPLICAS: i32 = 2;

    /// Wanted number of chat nodes.
    pub fn wanted_replicas(&self) -> i32 {
        self.replicas.unwrap_or(Self::DEFAULT_REPLICAS)
    }

    /// Whether there are to be no chat nodes for now.
    pub fn hibernates(&self) -> bool {
        self.wanted_replicas() == 0
    }
}

/// Names a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

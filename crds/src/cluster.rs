//! The custom resource `VibeTalkCluster`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, RoutingMode, ServerQueue};

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
    /// Wanted number of chat nodes; 2 if absent. Written by users, `kubectl scale` or an autoscaler, never by the
    /// operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 500))]
    pub replicas: Option<i32>,

    /// Image of the chat node. The one released with the operator if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// When the image is pulled.
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

    /// Lets a `HorizontalPodAutoscaler` set `spec.replicas`. Needs a metrics server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// The way in from outside the Kubernetes cluster; only a `Service` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,

    /// How a chat node that must end moves its users to the others.
    #[serde(default)]
    pub drain: Drain,

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
}

/// When the image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// At every start.
    Always,
    /// When the machine does not have it.
    IfNotPresent,
    /// Never: the machine must have it.
    Never,
}

/// Names a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The broker and this cluster's partitions in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RabbitMq {
    /// Secret with `host`, `username`, `password`, and if they are not the usual ones `port`, `vhost` and
    /// `management-uri`.
    pub secret_ref: SecretRef,

    /// Number of exchanges that users or channels are hashed over. Cannot be changed later.
    #[serde(default = "default_partitions")]
    #[schemars(range(min = 1, max = 256))]
    #[x_kube(validation = ("self == oldSelf", "partitions cannot be changed: make a new cluster"))]
    pub partitions: u16,

    /// What messages are routed by. Cannot be changed later.
    #[serde(default)]
    #[x_kube(validation = ("self == oldSelf", "routing cannot be changed: make a new cluster"))]
    pub routing: RoutingMode,

    /// The queue that every chat node has in the broker.
    #[serde(default)]
    pub server_queue: ServerQueue,

    /// What becomes of the exchanges when the cluster is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What becomes of outside objects when the cluster is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They are deleted.
    #[default]
    Delete,
    /// They stay.
    Retain,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MongoDb {
    /// Secret with the connection string under `uri`.
    pub secret_ref: SecretRef,

    /// Name of the database.
    #[serde(default = "default_database")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub database: String,

    /// Length of a time bucket, the unit of storage and retention. Counted from the Unix epoch.
    #[serde(default = "default_bucket")]
    pub bucket: Duration,
}

/// How users' tokens (JWT) are verified: with keys of a Secret, or with those that the issuer publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.secretRef) != has(self.jwks)",
    "exactly one of secretRef and jwks is required: whose keys are good?"
))]
#[x_kube(validation = (
    "!has(self.jwks) || has(self.audience)",
    "jwks needs audience: the issuer's keys also sign tokens for others"
))]
pub struct Auth {
    /// Secret with at least one of `hs256` (a secret of at least 32 bytes), `eddsa` (an Ed25519 public key in PEM or as
    /// JWK) and `jwks` (a JSON Web Key Set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,

    /// `https` URL of the issuer's JSON Web Key Set, which the chat nodes fetch and keep fresh: keys for EdDSA, ES256
    /// and RS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 2048),
        regex(pattern = r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[^@\s]+$")
    )]
    pub jwks: Option<String>,

    /// Required `iss` claim; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub issuer: Option<String>,

    /// Required `aud` claim; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub audience: Option<String>,
}

/// The group that everyone is a member of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfficialGroup {
    /// Shown name.
    #[serde(default = "default_group_name")]
    #[schemars(length(min = 1, max = 100))]
    pub name: String,

    /// Shown topic.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub topic: String,
}

impl Default for OfficialGroup {
    fn default() -> Self {
        Self { name: default_group_name(), topic: String::new() }
    }
}

/// Bounds and target of the autoscaler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.minReplicas <= self.maxReplicas", "minReplicas must not be greater than maxReplicas"))]
pub struct Autoscaling {
    /// Fewest chat nodes.
    #[serde(default = "default_min_replicas")]
    #[schemars(range(min = 1, max = 500))]
    pub min_replicas: i32,

    /// Most chat nodes.
    #[schemars(range(min = 1, max = 500))]
    pub max_replicas: i32,

    /// Wanted CPU use, in percent of the request (`pod.resources.requests.cpu`).
    #[serde(default = "default_target_cpu", rename = "targetCPUUtilization")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_utilization: i32,
}

/// The way in from outside the Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// Through an ingress controller.
    pub ingress: IngressExposure,
}

/// An `Ingress`, with timeouts that long-lived connections need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressExposure {
    /// Name of the `IngressClass`; the Kubernetes cluster's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// Host name of the chat service; every host if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub host: Option<String>,

    /// Serve TLS with this certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<IngressTls>,

    /// Further annotations for the ingress controller; they win over the operator's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The certificate of the chat service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressTls {
    /// Secret of type `kubernetes.io/tls`.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// How a chat node that must end moves its users to the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// Users are asked to reconnect spread over this time.
    #[serde(default = "default_drain_window")]
    pub window: Duration,

    /// How many chat nodes end at once when the number shrinks.
    #[serde(default = "default_max_concurrent")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent: i32,
}

impl Default for Drain {
    fn default() -> Self {
        Self { window: default_drain_window(), max_concurrent: default_max_concurrent() }
    }
}

/// Resources and scheduling of the chat nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodSettings {
    /// Requests and limits; 100m CPU, 128Mi to 512Mi memory if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// Labels that a machine must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that are put up with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
}

/// What the operator last saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VibeTalkClusterStatus {
    /// `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Chat nodes that exist.
    #[serde(default)]
    pub replicas: i32,

    /// Chat nodes that serve users.
    #[serde(default)]
    pub ready_replicas: i32,

    /// Label selector of the chat nodes' pods, for autoscalers.
    #[serde(default)]
    pub selector: String,

    /// Where users find the chat service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// The partitions in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<TopologyStatus>,

    /// See `kubectl explain`: `Ready` sums up the others.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The partitions in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologyStatus {
    /// Grows by one with every change of the partitions.
    pub epoch: u32,
    /// Number of exchanges that users are hashed over.
    pub partitions: u16,
}

fn default_partitions() -> u16 {
    4
}
fn default_database() -> String {
    "vibetalk".to_owned()
}
fn default_bucket() -> Duration {
    Duration::days(10)
}
fn default_group_name() -> String {
    "Official".to_owned()
}
fn default_min_replicas() -> i32 {
    2
}
fn default_target_cpu() -> i32 {
    70
}
fn default_drain_window() -> Duration {
    Duration::seconds(20)
}
fn default_max_concurrent() -> i32 {
    1
}

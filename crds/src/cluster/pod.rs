//! The chat nodes' pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Resources and scheduling of the chat nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.labels) || self.labels.all(key, !key.startsWith('app.kubernetes.io/'))",
    "labels app.kubernetes.io/… are the operator's: choose others"
))]
#[x_kube(validation = (
    "!has(self.annotations) || self.annotations.all(key, !key.startsWith('vibetalk.dev/'))",
    "annotations vibetalk.dev/… are the operator's: choose others"
))]
#[x_kube(validation = (
    "!has(self.env) || self.env.all(one, !(one.name in \
     ['VT_CONFIG', 'VT_LISTEN', 'VT_ADMIN_LISTEN', 'VT_DRAIN_WINDOW', 'POD_NAME', 'SERVICE_BINDING_ROOT']))",
    "env: VT_CONFIG, VT_LISTEN, VT_ADMIN_LISTEN, VT_DRAIN_WINDOW, POD_NAME and SERVICE_BINDING_ROOT are the operator's"
))]
pub struct PodSettings {
    /// Requests and limits; 100m CPU, 128Mi to 512Mi memory if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// Labels that a machine must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that are put up with. Machines that are lost are left after 30 s unless a toleration here says else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,

    /// How evenly the chat nodes are spread; over machines and zones, where that is possible, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub topology_spread: Option<Vec<TopologySpread>>,

    /// Name of the `PriorityClass`; the Kubernetes cluster's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,

    /// Further environment variables, such as `VT_LOG`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvironmentVariable>,

    /// Further labels of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub labels: BTreeMap<String, String>,

    /// Further annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
}

/// How evenly the chat nodes are spread over one kind of place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologySpread {
    /// Label of machines whose value tells places apart, such as `topology.kubernetes.io/zone`.
    #[schemars(length(min = 1, max = 317))]
    pub topology_key: String,

    /// How many more chat nodes one place may have than another.
    #[serde(default = "default_max_skew")]
    #[schemars(range(min = 1, max = 100))]
    pub max_skew: i32,

    /// What happens to a chat node that can be put nowhere without breaking this.
    #[serde(default)]
    pub when_unsatisfiable: WhenUnsatisfiable,
}

/// What happens to a pod that cannot be spread evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenUnsatisfiable {
    /// It is put where it disturbs least.
    #[default]
    ScheduleAnyway,
    /// It waits.
    DoNotSchedule,
}

/// A variable of the chat nodes' environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// Its name.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,

    /// Its value. Everybody who may read pods sees it: no place for secrets.
    #[schemars(length(max = 4096))]
    pub value: String,
}

fn default_max_skew() -> i32 {
    1
}

//! What the operator last saw.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RoutingMode, TopologyPlan};

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

    /// Where users find the chat service; absent until something answers there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// The partitions in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<TopologyStatus>,

    /// `Ready` sums up the others: `WorkloadAvailable`, `TopologyInSync`, `StoreReachable`, `ClocksInSync`,
    /// `AutoscalingActive`, `ExposureReady`, `MonitoringReady`, `Progressing` and `Paused`.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The partitions in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologyStatus {
    /// Grows by one with every change of the partitions or the routing.
    pub epoch: u32,

    /// Number of exchanges that users or channels are hashed over.
    pub partitions: u16,

    /// What messages are routed by.
    #[serde(default)]
    pub routing: RoutingMode,

    /// The epoch that the chat nodes are on their way to; absent while nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TopologyPlan>,

    /// How far they are; absent while nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<TopologyStep>,
}

/// The steps from one epoch to the next, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TopologyStep {
    /// The exchanges of the new epoch are declared.
    Declaring,
    /// Every chat node binds its queue to them too.
    Binding,
    /// Every chat node publishes to them.
    Switching,
    /// What is still in the old ones is delivered.
    Draining,
    /// The old ones are unbound and deleted.
    Deleting,
}

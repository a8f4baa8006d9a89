//! What decides how many chat nodes there are.

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerBehavior, MetricSpec};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds and targets of the autoscaler. It follows whichever target asks for the most chat nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.minReplicas <= self.maxReplicas", "minReplicas must not be greater than maxReplicas"))]
#[x_kube(validation = (
    "!has(self.keda) || (has(self.targetConnections) && !has(self.metrics))",
    "keda needs targetConnections and takes no metrics: it asks Prometheus for the connections itself"
))]
pub struct Autoscaling {
    /// Fewest chat nodes.
    #[serde(default = "default_min_replicas")]
    #[schemars(range(min = 1, max = 500))]
    pub min_replicas: i32,

    /// Most chat nodes.
    #[schemars(range(min = 1, max = 500))]
    pub max_replicas: i32,

    /// Wanted client connections of one chat node. Read from the metric `vibetalk_connections` of the pods, which needs
    /// an adapter for custom metrics such as prometheus-adapter, or `keda`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub target_connections: Option<i32>,

    /// Wanted CPU use, in percent of the request (`pod.resources.requests.cpu`). 70 if absent and nothing else is
    /// asked for. Needs a metrics server.
    #[serde(default, rename = "targetCPUUtilization", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_utilization: Option<i32>,

    /// Further metrics, as a `HorizontalPodAutoscaler` takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub metrics: Vec<MetricSpec>,

    /// How fast the autoscaler grows and shrinks, as a `HorizontalPodAutoscaler` takes it. Whatever it says, shrinking
    /// waits for chat nodes that are draining (`drain.maxConcurrent`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,

    /// Make a `ScaledObject` of KEDA in place of a `HorizontalPodAutoscaler`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keda: Option<Keda>,
}

/// Where KEDA finds the connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keda {
    /// URL of a Prometheus that scrapes the chat nodes, as in `http://prometheus.monitoring:9090`.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^https?://[!-?A-~]+$"))]
    pub prometheus: String,
}

impl Autoscaling {
    /// CPU use that is asked for where nothing else is, in percent.
    pub const DEFAULT_CPU_UTILIZATION: i32 = 70;

    /// Wanted CPU use in percent of the request, if the CPU is to be looked at.
    pub fn cpu_target(&self) -> Option<i32> {
        let nothing_else = self.target_connections.is_none() && self.metrics.is_empty();
        self.target_cpu_utilization.or(nothing_else.then_some(Self::DEFAULT_CPU_UTILIZATION))
    }
}

fn default_min_replicas() -> i32 {
    2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_looked_at_where_nothing_else_is() {
        let target = |text: &str| serde_json::from_str::<Autoscaling>(text).unwrap().cpu_target();
        assert_eq!(target(r#"{"maxReplicas":5}"#), Some(70));
        assert_eq!(target(r#"{"maxReplicas":5,"targetConnections":1000}"#), None);
        let both = r#"{"maxReplicas":5,"targetConnections":1000,"targetCPUUtilization":50}"#;
        assert_eq!(target(both), Some(50));
    }
}

//! The chat nodes.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Blueprint, match_labels, metadata, pod};

/// How long a rollout may stand still beyond the time between two of its steps; what Kubernetes takes by itself.
const STALLED_AFTER_SECONDS: i32 = 600;

pub(super) fn build(blueprint: &Blueprint<'_>, credentials: &str) -> Deployment {
    let drain = &blueprint.spec.drain;
    let window = i32::try_from(drain.window.as_seconds()).unwrap_or(i32::MAX);
    Deployment {
        metadata: metadata(blueprint.cluster),
        spec: Some(DeploymentSpec {
            replicas: Some(blueprint.replicas),
            revision_history_limit: Some(3),
            selector: match_labels(blueprint),
            // A node that ends does not count for a rollout any more, though its clients are still on their way: without
            // this time all nodes would send theirs off at once.
            min_ready_seconds: Some(window),
            progress_deadline_seconds: Some(window.saturating_add(STALLED_AFTER_SECONDS)),
            strategy: Some(successors_first(drain.max_concurrent)),
            template: pod::build(blueprint, credentials),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// A node leaves only after its successor serves.
fn successors_first(at_once: i32) -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(at_once)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::resources::tests::blueprint;

    #[test]
    fn a_rollout_ends_no_more_nodes_within_a_drain_window_than_may_drain_at_once() {
        let cluster = fixture::cluster(|spec| {
            spec["drain"] = serde_json::json!({ "window": "15m", "maxConcurrent": 2 })
        });
        let spec = build(&blueprint(&cluster), "").spec.unwrap();
        assert_eq!(spec.min_ready_seconds, Some(900));
        assert!(spec.progress_deadline_seconds > spec.min_ready_seconds);
        let rolling = spec.strategy.unwrap().rolling_update.unwrap();
        assert_eq!(rolling.max_surge, Some(IntOrString::Int(2)));
        assert_eq!(rolling.max_unavailable, Some(IntOrString::Int(0)));
    }
}

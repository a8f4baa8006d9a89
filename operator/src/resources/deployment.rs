//! The chat nodes.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Blueprint, match_labels, metadata, pod};

pub(super) fn build(blueprint: &Blueprint<'_>, credentials: &str) -> Deployment {
    Deployment {
        metadata: metadata(blueprint.cluster),
        spec: Some(DeploymentSpec {
            replicas: Some(blueprint.replicas),
            revision_history_limit: Some(3),
            selector: match_labels(blueprint),
            strategy: Some(one_more_then_one_less()),
            template: pod::build(blueprint, credentials),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// A node leaves only after its successor serves.
fn one_more_then_one_less() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

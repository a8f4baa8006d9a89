//! Lets machines be emptied one chat node at a time.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Blueprint, match_labels, metadata};

pub(super) fn build(blueprint: &Blueprint<'_>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(blueprint.cluster),
        spec: Some(PodDisruptionBudgetSpec {
            selector: Some(match_labels(blueprint)),
            // Not `minAvailable`: with one chat node no machine could ever be emptied.
            max_unavailable: Some(IntOrString::Int(1)),
            // A chat node that does not serve anybody holds nobody up.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

//! The autoscaler. It targets the resource, not the Deployment: the operator alone writes the Deployment's replicas,
//! so the two never fight, and shrinking goes through the drain.

use crds::Autoscaling;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use super::{Blueprint, metadata};

pub(super) fn build(blueprint: &Blueprint<'_>, autoscaling: &Autoscaling) -> HorizontalPodAutoscaler {
    let owner = blueprint.cluster.owner();
    HorizontalPodAutoscaler {
        metadata: metadata(blueprint.cluster),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(owner.api_version),
                kind: owner.kind,
                name: owner.name,
            },
            min_replicas: Some(autoscaling.min_replicas),
            max_replicas: autoscaling.max_replicas,
            metrics: Some(vec![cpu(autoscaling.target_cpu_utilization)]),
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    }
}

fn cpu(percent: i32) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: "cpu".to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

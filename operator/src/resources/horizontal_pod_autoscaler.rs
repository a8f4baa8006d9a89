//! The autoscaler. It targets the resource, not the Deployment: the operator alone writes the Deployment's replicas,
//! so the two never fight, and shrinking goes through the drain.

use crds::Autoscaling;
use crds::node::CONNECTIONS_METRIC;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricIdentifier,
    MetricSpec, MetricTarget, PodsMetricSource, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

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
            metrics: Some(metrics(autoscaling)),
            behavior: autoscaling.behavior.clone(),
        }),
        ..HorizontalPodAutoscaler::default()
    }
}

fn metrics(autoscaling: &Autoscaling) -> Vec<MetricSpec> {
    let connections = autoscaling.target_connections.map(connections);
    let cpu = autoscaling.cpu_target().map(cpu);
    connections.into_iter().chain(cpu).chain(autoscaling.metrics.iter().cloned()).collect()
}

fn connections(target: i32) -> MetricSpec {
    MetricSpec {
        type_: "Pods".to_owned(),
        pods: Some(PodsMetricSource {
            metric: MetricIdentifier { name: CONNECTIONS_METRIC.to_owned(), selector: None },
            target: MetricTarget {
                type_: "AverageValue".to_owned(),
                average_value: Some(Quantity(target.to_string())),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let autoscaling: Autoscaling = serde_json::from_str(text).unwrap();
        let name = |metric: MetricSpec| {
            let pods = metric.pods.map(|pods| pods.metric.name);
            pods.or(metric.resource.map(|resource| resource.name)).unwrap()
        };
        metrics(&autoscaling).into_iter().map(name).collect()
    }

    #[test]
    fn every_metric_that_is_asked_for_is_followed() {
        assert_eq!(names(r#"{"maxReplicas":9}"#), ["cpu"]);
        let all = r#"{"maxReplicas":9,"targetConnections":5,"targetCPUUtilization":50,"metrics":[
            {"type":"Pods","pods":{"metric":{"name":"own"},"target":{"type":"AverageValue","averageValue":"1"}}}]}"#;
        assert_eq!(names(all), ["vibetalk_connections", "cpu", "own"]);
    }
}

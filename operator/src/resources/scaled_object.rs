//! The autoscaler, by KEDA. It targets the resource, as the [`super::horizontal_pod_autoscaler`] does.

use crds::node::CONNECTIONS_METRIC;
use crds::{Autoscaling, Keda};
use serde_json::{Value, json};

use super::{Blueprint, Kind, envelope, series_of};

pub(super) fn build(blueprint: &Blueprint<'_>, autoscaling: &Autoscaling, keda: &Keda) -> Value {
    let owner = blueprint.cluster.owner();
    let mut object = envelope(blueprint, Kind::ScaledObject);
    object["spec"] = json!({
        "scaleTargetRef": { "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name },
        "minReplicaCount": autoscaling.min_replicas,
        "maxReplicaCount": autoscaling.max_replicas,
        "triggers": triggers(blueprint, autoscaling, keda),
    });
    if let Some(behavior) = &autoscaling.behavior {
        object["spec"]["advanced"] = json!({ "horizontalPodAutoscalerConfig": { "behavior": behavior } });
    }
    object
}

fn triggers(blueprint: &Blueprint<'_>, autoscaling: &Autoscaling, keda: &Keda) -> Vec<Value> {
    let connections = autoscaling.target_connections.map(|target| {
        json!({
            "type": "prometheus",
            "metricType": "AverageValue",
            "metadata": {
                "serverAddress": keda.prometheus,
                "query": format!("sum({CONNECTIONS_METRIC}{{{}}})", series_of(blueprint)),
                "threshold": target.to_string(),
            },
        })
    });
    let cpu = autoscaling.cpu_target().map(|percent| {
        json!({ "type": "cpu", "metricType": "Utilization", "metadata": { "value": percent.to_string() } })
    });
    connections.into_iter().chain(cpu).collect()
}

//! Alerts about one cluster, on what its chat nodes measure. Each says what a user notices and where to look.

use crds::Rules;
use serde_json::{Value, json};

use super::{Blueprint, Kind, envelope, series_of, with_labels};

struct Alert {
    name: &'static str,
    /// PromQL; `{series}` stands for the labels of this cluster's nodes.
    expression: &'static str,
    lasts: &'static str,
    severity: &'static str,
    summary: &'static str,
    /// What to do next.
    description: &'static str,
}

const ALERTS: [Alert; 6] = [
    Alert {
        name: "VibeTalkNoNodes",
        expression: "absent(vibetalk_build_info{{series}})",
        lasts: "2m",
        severity: "critical",
        summary: "No chat node is measured: either nobody can chat, or Prometheus does not find the nodes.",
        description: "Look at `kubectl get vtc,pods` and at the targets of Prometheus.",
    },
    Alert {
        name: "VibeTalkStoreUnreachable",
        expression: "min by (pod) (vibetalk_store_reachable{{series}}) == 0",
        lasts: "1m",
        severity: "critical",
        summary: "Chat node {{ $labels.pod }} does not reach the store: its users cannot send.",
        description: "The condition StoreReachable of the VibeTalkCluster has the cause.",
    },
    Alert {
        name: "VibeTalkDegraded",
        expression: "max by (pod) (vibetalk_degraded{{series}}) == 1",
        lasts: "5m",
        severity: "warning",
        summary: "Chat node {{ $labels.pod }} polls the store because the broker is away: messages come up to a second late.",
        description: "The condition TopologyInSync of the VibeTalkCluster says how the broker does.",
    },
    Alert {
        name: "VibeTalkPublishFailures",
        expression: "sum(rate(vibetalk_publish_failures_total{{series}}[5m])) > 0",
        lasts: "10m",
        severity: "warning",
        summary: "Publishes go wrong: messages come late, by way of the store.",
        description: "The label `reason` of vibetalk_publish_failures_total tells a broker that is away from a queue that is full.",
    },
    Alert {
        name: "VibeTalkClockSkew",
        expression: "max by (pod) (abs(vibetalk_clock_skew_seconds{{series}})) > 2",
        lasts: "5m",
        severity: "warning",
        summary: "The clock under chat node {{ $labels.pod }} is off by more than 2 s; at 5 s the node stops serving.",
        description: "Check time synchronisation on its machine.",
    },
    Alert {
        name: "VibeTalkSlowStore",
        expression: "histogram_quantile(0.99, sum by (le) (rate(vibetalk_append_duration_seconds_bucket{{series}}[5m]))) > 1",
        lasts: "10m",
        severity: "warning",
        summary: "One in a hundred messages waits more than a second for the store.",
        description: "Look at the load and the locks of the store.",
    },
];

pub(super) fn build(blueprint: &Blueprint<'_>, rules: &Rules) -> Value {
    let series = series_of(blueprint);
    let mut object = with_labels(envelope(blueprint, Kind::PrometheusRule), &rules.labels);
    let name = format!("{}.{}", blueprint.cluster.namespace, blueprint.cluster.name);
    let rules: Vec<_> = ALERTS.iter().map(|alert| rule(alert, &series, &name)).collect();
    object["spec"] = json!({ "groups": [{ "name": format!("vibetalk.{name}"), "rules": rules }] });
    object
}

fn rule(alert: &Alert, series: &str, cluster: &str) -> Value {
    json!({
        "alert": alert.name,
        "expr": alert.expression.replace("{series}", series),
        "for": alert.lasts,
        "labels": { "severity": alert.severity, "vibetalk_cluster": cluster },
        "annotations": { "summary": alert.summary, "description": alert.description },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::resources::tests::blueprint;

    #[test]
    fn every_alert_is_about_a_metric_that_chat_nodes_have_and_about_this_cluster_only() {
        let document = include_str!("../../../chat-node/METRICS.md");
        let cluster = fixture::cluster(|_| {});
        let object = build(&blueprint(&cluster), &Rules::default());
        let rules = object["spec"]["groups"][0]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), ALERTS.len());
        for rule in rules {
            let expression = rule["expr"].as_str().unwrap();
            let start = expression.find("vibetalk_").unwrap();
            let end = start + expression[start..].find('{').unwrap();
            let metric = expression[start..end].trim_end_matches("_bucket");
            assert!(document.contains(&format!("| `{metric}` |")), "{metric} is not measured");
            assert!(
                expression.contains(r#"{namespace="chat",pod=~"demo-[a-z0-9]+-[a-z0-9]+"}"#),
                "{expression}"
            );
        }
    }
}

//! Tells the Prometheus operator of the chat nodes.

use crds::PodMonitor;
use serde_json::{Value, json};

use super::container::ADMIN_PORT_NAME;
use super::{Blueprint, Kind, envelope, selector, with_labels};

pub(super) fn build(blueprint: &Blueprint<'_>, monitor: &PodMonitor) -> Value {
    let mut object = with_labels(envelope(blueprint, Kind::PodMonitor), &monitor.labels);
    object["spec"] = json!({
        "selector": { "matchLabels": selector(&blueprint.cluster.name) },
        "podMetricsEndpoints": [{
            "port": ADMIN_PORT_NAME,
            "path": "/metrics",
            // Prometheus knows days, but not every version of its operator.
            "interval": format!("{}s", monitor.interval.as_seconds()),
        }],
    });
    object
}

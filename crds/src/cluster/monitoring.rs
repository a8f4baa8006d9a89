//! Objects of the Prometheus operator.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// Objects of the Prometheus operator. Where the Kubernetes cluster does not have their kinds, the condition
/// `MonitoringReady` says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Make a `PodMonitor`, by which Prometheus finds the chat nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_monitor: Option<PodMonitor>,

    /// Make a `PrometheusRule` with alerts about this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
}

/// A `PodMonitor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodMonitor {
    /// How often a chat node is scraped.
    #[serde(default = "default_interval")]
    pub interval: Duration,

    /// Further labels, by which a Prometheus selects its `PodMonitors`, as in `release: prometheus`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub labels: BTreeMap<String, String>,
}

/// A `PrometheusRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Further labels, by which a Prometheus selects its `PrometheusRules`, as in `release: prometheus`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub labels: BTreeMap<String, String>,
}

fn default_interval() -> Duration {
    Duration::seconds(30)
}

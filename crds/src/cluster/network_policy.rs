//! Who may reach the chat nodes, and whom they may reach.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A `NetworkPolicy` for the chat nodes, which the Kubernetes cluster's network must enforce: users and the operator
/// may come in, and only DNS, the broker, the store and the issuer of tokens may be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether there is one.
    #[serde(default = "default_enabled")]
    pub enabled: bool,

    /// Who may reach the port for users, as in the namespace of the ingress controller; everybody if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub clients: Vec<NetworkPolicyPeer>,

    /// Who beside the operator may reach the port for metrics and administration; pods with the label
    /// `app.kubernetes.io/name: prometheus` of any namespace if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub scrapers: Vec<NetworkPolicyPeer>,

    /// Where the broker, the store and the issuer may be; anywhere, at their ports, if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub services: Vec<NetworkPolicyPeer>,

    /// Ports of broker, store and issuer beside those that their addresses name: members of a replica set that listen
    /// elsewhere, or those that a `mongodb+srv` name stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65_535)))]
    pub ports: Vec<u16>,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self {
            enabled: default_enabled(),
            clients: Vec::new(),
            scrapers: Vec::new(),
            services: Vec::new(),
            ports: Vec::new(),
        }
    }
}

fn default_enabled() -> bool {
    true
}

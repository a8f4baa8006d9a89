//! The way in from outside the Kubernetes cluster.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds of a DNS name.
const HOST_PATTERN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The way in from outside the Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.ingress) != has(self.gateway)",
    "exactly one of ingress and gateway is required: which way in?"
))]
pub struct Exposure {
    /// Through an ingress controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressExposure>,

    /// Through a gateway of the Gateway API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayExposure>,
}

/// An `Ingress`, with timeouts that long-lived connections need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.controller != 'AwsAlb' || self.path == '/'",
    "controller AwsAlb cannot take a prefix off a path: leave path at /"
))]
#[x_kube(validation = (
    "self.controller != 'AwsAlb' || !has(self.tls) || has(self.host)",
    "controller AwsAlb finds the certificate by the host name: tls needs host"
))]
pub struct IngressExposure {
    /// Name of the `IngressClass`; the Kubernetes cluster's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// Which controller serves that class: decides the annotations that keep WebSockets and long polls open.
    #[serde(default)]
    pub controller: IngressController,

    /// Host name of the chat service; every host if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = HOST_PATTERN))]
    pub host: Option<String>,

    /// Path that the chat service is served under; the controller takes it off. The web page needs `/`.
    #[serde(default)]
    pub path: IngressPath,

    /// Serve TLS with this certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<IngressTls>,

    /// Further annotations for the ingress controller; they win over the operator's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

/// The controllers whose annotations the operator knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IngressController {
    /// The community's ingress-nginx.
    #[default]
    IngressNginx,
    /// F5's NGINX Ingress Controller.
    F5Nginx,
    /// AWS Load Balancer Controller.
    AwsAlb,
    /// Azure Application Gateway Ingress Controller.
    AzureApplicationGateway,
    /// Any other: no annotations but those of `annotations`.
    Other,
}

/// A path of plain segments; `/` by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IngressPath(pub String);

impl IngressPath {
    /// The path without the slash at its end; empty for the root.
    pub fn prefix(&self) -> &str {
        self.0.trim_end_matches('/')
    }
}

impl Default for IngressPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl JsonSchema for IngressPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IngressPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^/([A-Za-z0-9_.~-]+/?)*$",
        })
    }
}

/// The certificate of the chat service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressTls {
    /// Secret of type `kubernetes.io/tls`. The cloud controllers of AWS ignore it and use the certificate that they
    /// hold for the host.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// An `HTTPRoute`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayExposure {
    /// The gateways that the route is attached to.
    #[schemars(length(min = 1, max = 8))]
    pub parent_refs: Vec<GatewayRef>,

    /// Host names of the chat service; those of the gateway's listeners if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253), regex(pattern = HOST_PATTERN)))]
    pub hostnames: Vec<String>,

    /// Whether users come by `https`, which the gateway's listeners decide. Only for the URL in the status.
    #[serde(default = "default_tls")]
    pub tls: bool,
}

/// Names a `Gateway`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRef {
    /// Name of the `Gateway`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Its namespace; the cluster's own if absent. Its listeners must admit routes from the cluster's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,

    /// Name of one of its listeners; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

fn default_tls() -> bool {
    true
}

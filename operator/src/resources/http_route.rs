//! The way in through a gateway of the Gateway API.

use crds::GatewayExposure;
use serde_json::{Value, json};

use super::service::SERVICE_PORT;
use super::{Blueprint, Kind, envelope};

pub(super) fn build(blueprint: &Blueprint<'_>, exposure: &GatewayExposure) -> Value {
    let mut route = envelope(blueprint, Kind::HttpRoute);
    route["spec"] = json!({
        "parentRefs": exposure.parent_refs,
        "rules": [{
            "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
            "backendRefs": [{ "name": blueprint.cluster.name, "port": SERVICE_PORT }],
            // No end: a WebSocket or an event stream lasts as long as its user stays.
            "timeouts": { "request": "0s" },
        }],
    });
    if !exposure.hostnames.is_empty() {
        route["spec"]["hostnames"] = json!(exposure.hostnames);
    }
    route
}

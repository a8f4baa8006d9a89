//! The way in from outside, and where users find it.

use crds::condition::{ConditionType, Reason};
use crds::{GatewayExposure, IngressExposure, VibeTalkClusterSpec};
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::Value;

use super::conditions::{self, Verdict};
use crate::observe::Observed;
use crate::resources::Kind;

const KIND: ConditionType = ConditionType::ExposureReady;

pub(super) struct Exposed {
    pub(super) verdict: Verdict,
    /// Only while some chat node answers there.
    pub(super) url: Option<String>,
}

pub(super) fn decide(spec: &VibeTalkClusterSpec, observed: &Observed) -> Exposed {
    let exposure = spec.exposure.as_ref();
    let by_ingress = exposure.and_then(|exposure| exposure.ingress.as_ref());
    let by_gateway = exposure.and_then(|exposure| exposure.gateway.as_ref());
    let (verdict, url) = match (by_ingress, by_gateway) {
        (Some(ingress), _) => through_ingress(ingress, observed),
        (None, Some(gateway)) => through_gateway(gateway, observed),
        (None, None) => {
            let message = "spec.exposure is absent: only the Service leads to the chat nodes";
            (Verdict::no(KIND, Reason::NotRequested, message), None)
        }
    };
    Exposed { verdict, url: url.filter(|_| serves(observed)) }
}

fn serves(observed: &Observed) -> bool {
    let status = observed.children.deployment().and_then(|deployment| deployment.status);
    status.and_then(|status| status.ready_replicas).unwrap_or(0) > 0
}

fn through_ingress(exposure: &IngressExposure, observed: &Observed) -> (Verdict, Option<String>) {
    match observed.children.ingress().as_ref().and_then(address) {
        Some(address) => {
            let scheme = if exposure.tls.is_some() { "https" } else { "http" };
            let host = exposure.host.as_deref().unwrap_or(&address);
            let url = format!("{scheme}://{host}{}/", exposure.path.prefix());
            (Verdict::yes(KIND, format!("served at {url}")), Some(url))
        }
        None => (Verdict::no(KIND, Reason::AddressPending, pending(exposure)), None),
    }
}

/// The address that the ingress controller has written into the status.
fn address(ingress: &Ingress) -> Option<String> {
    let points = ingress.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?;
    points.iter().find_map(|point| {
        let ip = point.ip.clone().map(|ip| if ip.contains(':') { format!("[{ip}]") } else { ip });
        ip.or_else(|| point.hostname.clone())
    })
}

fn pending(exposure: &IngressExposure) -> String {
    let class = match &exposure.class_name {
        Some(class) => format!("of IngressClass `{class}`"),
        None => "of the default IngressClass".to_owned(),
    };
    format!("the Ingress has no address yet; is a controller {class} running?")
}

fn through_gateway(exposure: &GatewayExposure, observed: &Observed) -> (Verdict, Option<String>) {
    if observed.lacks(Kind::HttpRoute) {
        return (conditions::kind_missing(KIND, Kind::HttpRoute, "choose spec.exposure.ingress"), None);
    }
    let none = Vec::new();
    let route = observed.children.get(Kind::HttpRoute);
    let parents = route.and_then(|route| route["status"]["parents"].as_array()).unwrap_or(&none);
    if !parents.iter().any(takes) {
        let message = parents.iter().find_map(refusal).unwrap_or_else(|| unheard(exposure));
        return (Verdict::no(KIND, Reason::RouteNotAccepted, message), None);
    }
    let scheme = if exposure.tls { "https" } else { "http" };
    match exposure.hostnames.first() {
        Some(host) => {
            let url = format!("{scheme}://{host}/");
            (Verdict::yes(KIND, format!("served at {url}")), Some(url))
        }
        None => (Verdict::yes(KIND, "served at the host names of the gateway's listeners"), None),
    }
}

/// Whether a gateway serves the route: it has taken it, and it has found the Service.
fn takes(parent: &Value) -> bool {
    ["Accepted", "ResolvedRefs"].iter().all(|type_| {
        let mut conditions = parent["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| condition["type"] == *type_ && condition["status"] == "True")
    })
}

fn refusal(parent: &Value) -> Option<String> {
    let mut conditions = parent["conditions"].as_array()?.iter();
    let refused = conditions.find(|condition| condition["status"] == "False")?;
    let gateway = parent["parentRef"]["name"].as_str().unwrap_or_default();
    let word = |field: &str| refused[field].as_str().unwrap_or_default().to_owned();
    Some(format!("Gateway `{gateway}` says {}: {}", word("reason"), word("message")))
}

fn unheard(exposure: &GatewayExposure) -> String {
    let names: Vec<_> = exposure.parent_refs.iter().map(|gateway| format!("`{}`", gateway.name)).collect();
    let names = names.join(", ");
    format!(
        "no gateway has answered yet: is {names} there, with a controller, and does it admit routes from here?"
    )
}

//! The way in from outside, and where users find it.

use crds::condition::{ConditionType, Reason};
use crds::{IngressExposure, VibeTalkClusterSpec};
use k8s_openapi::api::networking::v1::Ingress;

use super::conditions::Verdict;
use crate::observe::Children;

pub(super) struct Exposed {
    pub(super) verdict: Verdict,
    pub(super) url: Option<String>,
}

pub(super) fn decide(spec: &VibeTalkClusterSpec, children: &Children) -> Exposed {
    let kind = ConditionType::ExposureReady;
    let Some(exposure) = &spec.exposure else {
        let message = "spec.exposure is absent: only the Service leads to the chat nodes";
        return Exposed { verdict: Verdict::no(kind, Reason::NotRequested, message), url: None };
    };
    let Some(ingress) = &exposure.ingress else {
        let message = "the route has not been looked at yet";
        return Exposed { verdict: Verdict::unknown(kind, Reason::NotObserved, message), url: None };
    };
    match children.ingress().as_ref().and_then(address) {
        Some(address) => {
            let url = url(ingress, &address);
            Exposed { verdict: Verdict::yes(kind, format!("served at {url}")), url: Some(url) }
        }
        None => Exposed { verdict: Verdict::no(kind, Reason::AddressPending, pending(ingress)), url: None },
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

fn url(exposure: &IngressExposure, address: &str) -> String {
    let scheme = if exposure.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}/", exposure.host.as_deref().unwrap_or(address))
}

fn pending(exposure: &IngressExposure) -> String {
    let class = match &exposure.class_name {
        Some(class) => format!("of IngressClass `{class}`"),
        None => "of the default IngressClass".to_owned(),
    };
    format!("the Ingress has no address yet; is a controller {class} running?")
}

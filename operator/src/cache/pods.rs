//! What a visit needs to know of a pod.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::mirror::{self, Place, Told};
use crate::act::DELETION_COST;
use crate::resources::INSTANCE_LABEL;

/// The facts about one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// Whether it passes its readiness probe.
    pub ready: bool,
    /// The time by which it must have ended, if it is ending.
    pub ends_by: Option<Timestamp>,
    /// When it was told to end, if it was.
    pub ends_since: Option<Timestamp>,
    /// Its `controller.kubernetes.io/pod-deletion-cost`.
    pub cost: Option<i32>,
    /// Where its chat node is asked.
    pub address: Option<IpAddr>,
}

/// Where a pod is kept, and its facts. An evicted or finished pod stays listed but is no chat node any more.
pub(super) fn told(pod: &Pod) -> Option<Told<PodFacts>> {
    let cluster = pod.labels().get(INSTANCE_LABEL)?.clone();
    let place = Place { namespace: pod.namespace()?, cluster, name: pod.name_any() };
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let has_ended = matches!(phase, Some("Failed" | "Succeeded"));
    let version = mirror::version(pod.metadata.resource_version.as_deref());
    Some(Told { place, version, value: (!has_ended).then(|| facts(pod)) })
}

fn facts(pod: &Pod) -> PodFacts {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    PodFacts {
        name: pod.name_any(),
        ready: is_ready(pod),
        ends_by: pod.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        ends_since: ends_since(pod),
        cost: pod.annotations().get(DELETION_COST).and_then(|cost| cost.parse().ok()),
        address: address.and_then(|ip| ip.parse().ok()),
    }
}

/// The time by which a pod must have ended is when it was told so, and its grace.
fn ends_since(pod: &Pod) -> Option<Timestamp> {
    let by = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds?);
    by.checked_sub(grace).ok()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

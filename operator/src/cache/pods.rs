//! What a visit needs to know of a pod.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::mirror::{self, Place, Told};
use crate::act::DELETION_COST;
use crate::resources::{CONTAINER, INSTANCE_LABEL};

/// The facts about one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// Whether its container runs: one that waits for its image or its next try does not.
    pub runs: bool,
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

/// Where a pod is kept, and its facts.
pub(super) fn told(pod: &Pod) -> Option<Told<PodFacts>> {
    let cluster = pod.labels().get(INSTANCE_LABEL)?.clone();
    let place = Place { namespace: pod.namespace()?, cluster, name: pod.name_any() };
    let version = mirror::version(pod.metadata.resource_version.as_deref());
    Some(Told { place, version, value: PodFacts::of(pod) })
}

impl PodFacts {
    /// The facts about a pod; nothing for an evicted or finished one, which stays listed but is no chat node any more.
    pub fn of(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref();
        if matches!(status.and_then(|status| status.phase.as_deref()), Some("Failed" | "Succeeded")) {
            return None;
        }
        Some(Self {
            name: pod.name_any(),
            runs: runs(pod),
            ready: is_ready(pod),
            ends_by: pod.metadata.deletion_timestamp.as_ref().map(|time| time.0),
            ends_since: ends_since(pod),
            cost: pod.annotations().get(DELETION_COST).and_then(|cost| cost.parse().ok()),
            address: status.and_then(|status| status.pod_ip.as_deref()).and_then(|ip| ip.parse().ok()),
        })
    }
}

/// The time by which a pod must have ended is when it was told so, and its grace.
fn ends_since(pod: &Pod) -> Option<Timestamp> {
    let by = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds?);
    by.checked_sub(grace).ok()
}

fn runs(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut states = statuses.filter(|status| status.name == CONTAINER).flat_map(|status| &status.state);
    states.any(|state| state.running.is_some())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

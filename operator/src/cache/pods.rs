//! What a visit needs to know of a pod.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::mirror::{self, Place};
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
    /// Its `controller.kubernetes.io/pod-deletion-cost`.
    pub cost: Option<i32>,
    /// Where its chat node is asked.
    pub address: Option<IpAddr>,
}

/// Where a pod is kept.
pub(super) fn place(pod: &Pod) -> Option<Place> {
    let cluster = pod.labels().get(INSTANCE_LABEL)?.clone();
    Some(Place { namespace: pod.namespace()?, cluster, name: pod.name_any() })
}

/// Where it is kept, its version and its facts; nothing for an evicted or finished pod, which stays listed but is no
/// chat node any more.
pub(super) fn kept(pod: &Pod) -> Option<(Place, u64, PodFacts)> {
    let place = place(pod)?;
    let status = pod.status.as_ref();
    if matches!(status.and_then(|status| status.phase.as_deref()), Some("Failed" | "Succeeded")) {
        return None;
    }
    let facts = PodFacts {
        name: pod.name_any(),
        ready: is_ready(pod),
        ends_by: pod.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        cost: pod.annotations().get(DELETION_COST).and_then(|cost| cost.parse().ok()),
        address: status.and_then(|status| status.pod_ip.as_deref()).and_then(|ip| ip.parse().ok()),
    };
    Some((place, mirror::version(pod.metadata.resource_version.as_deref()), facts))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

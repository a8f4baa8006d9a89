//! Whether the chat nodes serve, and what they say of store and clock.

use crds::condition::{ConditionType, Reason};
use crds::node::Dependency;
use crds::{NodeReport, VibeTalkClusterSpec};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};

use super::conditions::{State, Verdict};
use super::scaling::Scaling;
use crate::observe::{Observed, PodState, Seen};
use crate::resources::Kind;

/// Clocks further apart than this could make a node's ids run ahead of the others'.
const MAX_SKEW_MS: u64 = 5_000;
/// Pods in a message; more are counted.
const MAX_NAMED: usize = 3;

/// `WorkloadAvailable` and `Progressing`.
pub(super) fn decide(spec: &VibeTalkClusterSpec, observed: &Observed, scaling: &Scaling) -> Vec<Verdict> {
    let unknown = |why: &str| {
        [ConditionType::WorkloadAvailable, ConditionType::Progressing]
            .map(|kind| Verdict::unknown(kind, Reason::NotObserved, why))
            .into()
    };
    if let Some(Seen::Unknown(why)) = observed.children.0.get(&Kind::Deployment) {
        return unknown(why);
    }
    let Some(deployment) = observed.children.deployment() else {
        let message = "the Deployment is not there yet";
        return vec![
            Verdict::no(ConditionType::WorkloadAvailable, Reason::PodsNotReady, message),
            Verdict::new(ConditionType::Progressing, State::True, Reason::PodsNotReady, message),
        ];
    };
    let status = deployment.status.clone().unwrap_or_default();
    vec![available(spec, &status), progressing(spec, &deployment, &status, scaling)]
}

/// `StoreReachable` and `ClocksInSync`, as the nodes report.
pub(super) fn reports(pods: &Seen<Vec<PodState>>) -> [Verdict; 2] {
    let reports: Vec<_> = pods
        .known()
        .into_iter()
        .flatten()
        .filter(|pod| pod.ends_by.is_none())
        .filter_map(|pod| pod.report.known().map(|report| (pod.name.as_str(), report)))
        .collect();
    [store(&reports), clocks(&reports)]
}

fn available(spec: &VibeTalkClusterSpec, status: &DeploymentStatus) -> Verdict {
    let kind = ConditionType::WorkloadAvailable;
    let wanted = spec.wanted_replicas();
    let ready = status.ready_replicas.unwrap_or(0);
    if spec.hibernates() {
        let message = "spec.replicas is 0: the cluster sleeps until it is more";
        return Verdict::no(kind, Reason::Hibernating, message);
    }
    if ready >= wanted {
        return Verdict::yes(kind, format!("{wanted} of {wanted} chat nodes are ready"));
    }
    match words_of(status, "ReplicaFailure", "True") {
        Some(words) => Verdict::no(kind, Reason::PodsRefused, words),
        None => Verdict::no(kind, Reason::PodsNotReady, format!("{ready} of {wanted} chat nodes are ready")),
    }
}

fn progressing(
    spec: &VibeTalkClusterSpec,
    deployment: &Deployment,
    status: &DeploymentStatus,
    scaling: &Scaling,
) -> Verdict {
    let kind = ConditionType::Progressing;
    let under_way = |message: String| Verdict::new(kind, State::True, Reason::PodsNotReady, message);
    let wanted = spec.wanted_replicas();
    let replicas = scaling.replicas;
    if let Some(words) = words_of(status, "Progressing", "False") {
        return Verdict::no(kind, Reason::PodsNotReady, words);
    }
    if let Some(what) = &scaling.waits_for {
        return under_way(format!("{replicas} chat nodes on the way to {wanted}; waiting for {what}"));
    }
    let settled = status.observed_generation == deployment.metadata.generation
        && [status.replicas, status.updated_replicas, status.ready_replicas]
            .into_iter()
            .all(|count| count.unwrap_or(0) == replicas);
    if settled {
        return Verdict::no(kind, Reason::AsSpecified, "nothing is being changed");
    }
    let updated = status.updated_replicas.unwrap_or(0).min(replicas);
    under_way(format!("{updated} of {replicas} chat nodes are as specified"))
}

/// The message of a Deployment's condition, if it has the status.
fn words_of(status: &DeploymentStatus, type_: &str, wanted: &str) -> Option<String> {
    let mut conditions = status.conditions.iter().flatten();
    let found = conditions.find(|condition| condition.type_ == type_ && condition.status == wanted)?;
    Some(found.message.clone().unwrap_or_else(|| format!("the Deployment says {type_} is {wanted}")))
}

fn store(reports: &[(&str, &NodeReport)]) -> Verdict {
    let kind = ConditionType::StoreReachable;
    let cut_off: Vec<_> = reports
        .iter()
        .filter_map(|(pod, report)| match &report.store {
            Dependency::Unreachable { reason } => Some((*pod, reason)),
            Dependency::Reachable => None,
        })
        .collect();
    match cut_off.first() {
        Some((_, reason)) => {
            let pods = names(cut_off.iter().map(|(pod, _)| *pod));
            Verdict::no(kind, Reason::StoreUnreachable, format!("{pods}: {reason}"))
        }
        None if reports.is_empty() => unheard(kind),
        None => Verdict::yes(kind, "every chat node reaches the store"),
    }
}

fn clocks(reports: &[(&str, &NodeReport)]) -> Verdict {
    let kind = ConditionType::ClocksInSync;
    let skewed = reports.iter().filter(|(_, report)| report.clock_skew_ms.unsigned_abs() > MAX_SKEW_MS);
    let skewed: Vec<_> = skewed.map(|(pod, _)| *pod).collect();
    if !skewed.is_empty() {
        let pods = names(skewed.into_iter());
        let message =
            format!("{pods}: the clock is more than 5 s off the store's; check time synchronisation there");
        return Verdict::no(kind, Reason::ClockSkew, message);
    }
    if reports.is_empty() { unheard(kind) } else { Verdict::yes(kind, "every clock agrees with the store's") }
}

fn unheard(kind: ConditionType) -> Verdict {
    Verdict::unknown(kind, Reason::NotObserved, "no chat node has reported yet")
}

fn names<'a>(pods: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = pods.len().saturating_sub(MAX_NAMED);
    let named = pods.take(MAX_NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

//! How many chat nodes there are for now. Growing is one step; shrinking goes in steps of `drain.maxConcurrent`, so
//! that users are moved a few at a time, and begins with the nodes that have the fewest.

use crds::VibeTalkClusterSpec;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;

use crate::observe::{Observed, PodState, Seen};
use crate::plan::{Mark, Requeue};

/// Cost of a pod that is to go; all others cost 0.
const VICTIM_COST: i32 = -1;
/// A pod that is listed for longer than this after its grace period stands on a machine that does not answer. It is
/// waited for no longer.
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(10);

#[derive(Debug, PartialEq)]
pub(super) struct Scaling {
    /// Replicas of the Deployment for now.
    pub(super) replicas: i32,
    /// Pods to mark before.
    pub(super) marks: Vec<Mark>,
    /// What the next step waits for.
    pub(super) waits_for: Option<String>,
    pub(super) requeue: Requeue,
}

pub(super) fn decide(spec: &VibeTalkClusterSpec, observed: &Observed, now: Timestamp) -> Scaling {
    let wanted = spec.wanted_replicas();
    let at = |replicas| Scaling { replicas, marks: Vec::new(), waits_for: None, requeue: Requeue::Poll };
    let Some(deployment) = observed.children.deployment() else { return at(wanted) };
    let live = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    if wanted >= live {
        return at(wanted);
    }
    let hold = |why| Scaling { waits_for: Some(why), requeue: Requeue::Step, ..at(live) };
    let pods = match &observed.pods {
        Seen::Known(pods) => pods,
        Seen::Unknown(why) => return hold(format!("the pods are not known: {why}")),
    };
    if let Some(why) = unsettled(&deployment, live, pods, now) {
        return hold(why);
    }
    let next = wanted.max(live - spec.drain.max_concurrent.max(1));
    let leaving = usize::try_from(live - next).unwrap_or(0);
    Scaling {
        marks: marks(pods, leaving),
        waits_for: (next > wanted).then(|| "the pods of this step to end".to_owned()),
        requeue: if next > wanted { Requeue::Step } else { Requeue::Poll },
        replicas: next,
    }
}

/// Why the last step is not over, if it is not.
fn unsettled(deployment: &Deployment, live: i32, pods: &[PodState], now: Timestamp) -> Option<String> {
    let seen = deployment.status.as_ref().and_then(|status| status.observed_generation);
    if seen != deployment.metadata.generation {
        return Some("the Deployment's controller to see the last step".to_owned());
    }
    let ends = |pod: &&PodState| pod.ends_by.is_some() && !is_lost(pod, now);
    if let Some(pod) = pods.iter().find(ends) {
        return Some(format!("pod {} to end", pod.name));
    }
    let standing = pods.iter().filter(|pod| pod.ends_by.is_none()).count();
    (i32::try_from(standing).unwrap_or(i32::MAX) > live)
        .then(|| "the pods of the last step to be told to end".to_owned())
}

/// Whether the pod should have ended some time ago.
pub(super) fn is_lost(pod: &PodState, now: Timestamp) -> bool {
    pod.ends_by.is_some_and(|by| by.saturating_add(LOST_AFTER).unwrap_or(by) <= now)
}

/// Marks the `leaving` pods with the fewest users and takes stale marks from the others. A node that says nothing
/// counts as empty; among equals the name decides.
fn marks(pods: &[PodState], leaving: usize) -> Vec<Mark> {
    let mut standing: Vec<_> = pods.iter().filter(|pod| pod.ends_by.is_none()).collect();
    standing.sort_by_key(|pod| (pod.ready, connections(pod), pod.name.as_str()));
    let cost = |index| (index < leaving).then_some(VICTIM_COST);
    let wanted = standing.into_iter().enumerate().map(|(index, pod)| (pod, cost(index)));
    wanted
        .filter(|(pod, cost)| pod.cost != *cost)
        .map(|(pod, cost)| Mark { pod: pod.name.clone(), cost })
        .collect()
}

fn connections(pod: &PodState) -> u32 {
    pod.report.known().map_or(0, |report| report.connections)
}

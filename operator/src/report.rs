//! Writes the status when it differs and events when something has changed.

use std::time::Duration;

use crds::VibeTalkClusterStatus;
use crds::condition::{ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::api::{Api, Patch};
use kube::runtime::events::{Event, EventType};
use serde_json::json;

use crate::act::{Outcome, applying};
use crate::cluster::{Cluster, RawCluster};
use crate::decide::{State, Verdict, amend, held_up};
use crate::plan::{Finalizer, Notice, Plan, Severity};
use crate::rabbitmq::BrokerError;
use crate::reconcile::Context;

const EVENT_DEADLINE: Duration = Duration::from_secs(5);
/// The API server refuses longer notes.
const MAX_NOTE_CHARS: usize = 1_000;

/// Reports what was planned and what came of it. Events that cannot be written are only logged.
///
/// # Errors
/// If the status cannot be written.
pub async fn report(ctx: &Context, cluster: &Cluster, plan: &Plan, outcome: &Outcome) -> kube::Result<()> {
    let status = status(cluster, plan, outcome, Timestamp::now());
    for notice in notices(&cluster.status, &status, plan, outcome) {
        publish(ctx, cluster, notice).await;
    }
    if is_told(&cluster.status, &status) { Ok(()) } else { write(ctx, cluster, &status).await }
}

/// The planned status, corrected by what the writes have taught.
fn status(cluster: &Cluster, plan: &Plan, outcome: &Outcome, now: Timestamp) -> VibeTalkClusterStatus {
    let mut status = plan.status.clone();
    if let Some(error) = &outcome.broker_failure {
        let reason = match error {
            BrokerError::Mismatch { .. } | BrokerError::InUse { .. } => Reason::ExchangeMismatch,
            BrokerError::Unreachable { .. } | BrokerError::Refused { .. } | BrokerError::TooMany { .. } => {
                Reason::BrokerUnreachable
            }
        };
        let verdict = Verdict::no(ConditionType::TopologyInSync, reason, error.to_string());
        amend(cluster, &mut status.conditions, verdict, now);
        if plan.finalizer == Finalizer::Remove {
            amend(cluster, &mut status.conditions, held_up(&error.to_string()), now);
        }
    }
    if let Some(failure) = &outcome.order_failure {
        let verdict =
            Verdict::no(ConditionType::TopologyInSync, Reason::NodeUnreachable, failure.to_string());
        amend(cluster, &mut status.conditions, verdict, now);
    }
    if let Some(exchange) = outcome.in_use.first() {
        let message = format!(
            "{} exchanges of earlier partitions are still bound to queues, as {exchange} is; they go when it is not",
            outcome.in_use.len()
        );
        let verdict = Verdict::no(ConditionType::TopologyInSync, Reason::ExchangeLeft, message);
        amend(cluster, &mut status.conditions, verdict, now);
    }
    if let Some(failure) = &outcome.write_failure {
        let kind = ConditionType::Progressing;
        let verdict = Verdict::new(kind, State::True, Reason::WriteFailed, failure.to_string());
        amend(cluster, &mut status.conditions, verdict, now);
    }
    status
}

/// Whether the status says this already. The order of the conditions means nothing.
pub fn is_told(old: &VibeTalkClusterStatus, new: &VibeTalkClusterStatus) -> bool {
    let sorted = |status: &VibeTalkClusterStatus| {
        let mut status = status.clone();
        status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status
    };
    sorted(old) == sorted(new)
}

fn notices(
    old: &VibeTalkClusterStatus,
    new: &VibeTalkClusterStatus,
    plan: &Plan,
    outcome: &Outcome,
) -> Vec<Notice> {
    let mut notices = plan.notices.clone();
    if !outcome.declared.is_empty() {
        notices.push(Notice {
            severity: Severity::Normal,
            reason: "ExchangesDeclared".to_owned(),
            message: format!("declared {} in the broker", outcome.declared.join(", ")),
        });
    }
    if let (Finalizer::LetGo, Some(error)) = (plan.finalizer, &outcome.broker_failure) {
        notices.push(Notice {
            severity: Severity::Warning,
            reason: "ExchangesLeft".to_owned(),
            message: format!("the exchanges were not removed from the broker: {error}"),
        });
    }
    notices.extend(new.conditions.iter().filter_map(|condition| transition(old, condition)));
    notices
}

/// What is worth telling about a condition: a new fault, and `Ready` coming and going.
fn transition(old: &VibeTalkClusterStatus, new: &Condition) -> Option<Notice> {
    let previous = old.conditions.iter().find(|condition| condition.type_ == new.type_);
    let flipped = previous.is_some_and(|previous| previous.status != new.status);
    let is_ready = new.type_ == ConditionType::Ready.to_string();
    let new_cause = previous.is_none_or(|previous| previous.reason != new.reason);
    let fault = !is_ready && new_cause && FAULTS.iter().any(|fault| fault.to_string() == new.reason);
    let severity = match new.status.as_str() {
        "True" if is_ready && flipped => Severity::Normal,
        _ if is_ready && flipped && new.reason == Reason::Hibernating.to_string() => Severity::Normal,
        _ if fault || (is_ready && flipped) => Severity::Warning,
        _ => return None,
    };
    let reason = if new.reason == Reason::AsSpecified.to_string() { "Ready" } else { &new.reason };
    Some(Notice { severity, reason: reason.to_owned(), message: format!("{}: {}", new.type_, new.message) })
}

/// Reasons that ask for someone's attention. The others come and go by themselves.
const FAULTS: [Reason; 16] = [
    Reason::InvalidSpec,
    Reason::SecretMissing,
    Reason::SecretIncomplete,
    Reason::PodsRefused,
    Reason::BrokerUnreachable,
    Reason::ExchangeMissing,
    Reason::ExchangeMismatch,
    Reason::ExchangeLeft,
    Reason::BrokerUnhealthy,
    Reason::NodeUnreachable,
    Reason::StoreUnreachable,
    Reason::ClockSkew,
    Reason::AutoscalerFailing,
    Reason::KindMissing,
    Reason::NameTaken,
    Reason::WriteFailed,
];

async fn publish(ctx: &Context, cluster: &Cluster, notice: Notice) {
    let event = Event {
        type_: match notice.severity {
            Severity::Normal => EventType::Normal,
            Severity::Warning => EventType::Warning,
        },
        reason: notice.reason,
        note: Some(notice.message.chars().take(MAX_NOTE_CHARS).collect()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    let reference = cluster.reference();
    let call = ctx.recorder.publish(&event, &reference);
    match tokio::time::timeout(EVENT_DEADLINE, call).await {
        Ok(Ok(())) => ctx.metrics.write("Event", "create"),
        Ok(Err(error)) => tracing::warn!(%error, reason = event.reason, "cannot write an event"),
        Err(_) => tracing::warn!(reason = event.reason, "cannot write an event in time"),
    }
}

async fn write(ctx: &Context, cluster: &Cluster, status: &VibeTalkClusterStatus) -> kube::Result<()> {
    let api: Api<RawCluster> = Api::namespaced(ctx.client.clone(), &cluster.namespace);
    let patch = json!({
        "apiVersion": RawCluster::api_version(&()),
        "kind": RawCluster::kind(&()),
        "metadata": { "name": cluster.name },
        "status": status,
    });
    ctx.metrics.write("VibeTalkCluster", "status");
    let params = applying().force();
    match api.patch_status(&cluster.name, &params, &Patch::Apply(patch)).await {
        Ok(written) => {
            ctx.cache.clusters.put(written);
            Ok(())
        }
        // Deleted in between: nobody is left to read it.
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Requeue;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn condition(kind: ConditionType, status: &str, reason: Reason) -> Condition {
        Condition {
            type_: kind.to_string(),
            status: status.to_owned(),
            reason: reason.to_string(),
            message: "why".to_owned(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        }
    }

    fn told(old: &[Condition], new: &Condition) -> Option<(Severity, String)> {
        let old = VibeTalkClusterStatus { conditions: old.to_vec(), ..VibeTalkClusterStatus::default() };
        transition(&old, new).map(|notice| (notice.severity, notice.reason))
    }

    #[test]
    fn a_fault_is_told_once() {
        let fault = condition(ConditionType::StoreReachable, "False", Reason::SecretMissing);
        assert_eq!(told(&[], &fault), Some((Severity::Warning, "SecretMissing".to_owned())));
        assert_eq!(told(std::slice::from_ref(&fault), &fault), None);
    }

    #[test]
    fn ready_is_told_when_it_comes_and_goes() {
        let no = condition(ConditionType::Ready, "False", Reason::PodsNotReady);
        let yes = condition(ConditionType::Ready, "True", Reason::AsSpecified);
        assert_eq!(told(&[], &no), None, "a new cluster is not ready, which is no news");
        assert_eq!(told(std::slice::from_ref(&no), &yes), Some((Severity::Normal, "Ready".to_owned())));
        assert_eq!(told(&[yes], &no), Some((Severity::Warning, "PodsNotReady".to_owned())));
    }

    #[test]
    fn a_deletion_that_the_broker_holds_up_is_told_so_that_it_ends() {
        let cluster = crate::fixture::cluster(|_| {});
        let plan = Plan {
            finalizer: Finalizer::Remove,
            ..Plan::report_only(VibeTalkClusterStatus::default(), Requeue::Never)
        };
        let error = BrokerError::InUse { exchange: "vt.chat.demo.1.0".to_owned() };
        let outcome = Outcome { broker_failure: Some(error), ..Outcome::default() };
        let status = status(&cluster, &plan, &outcome, Timestamp::UNIX_EPOCH);
        let ready = status.conditions.iter().find(|one| one.type_ == "Ready").unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Deleting"));
    }

    #[test]
    fn the_order_of_conditions_is_no_difference() {
        let a = condition(ConditionType::Ready, "True", Reason::AsSpecified);
        let b = condition(ConditionType::Paused, "False", Reason::NotRequested);
        let status = |conditions| VibeTalkClusterStatus { conditions, ..VibeTalkClusterStatus::default() };
        assert!(is_told(&status(vec![a.clone(), b.clone()]), &status(vec![b, a])));
    }
}

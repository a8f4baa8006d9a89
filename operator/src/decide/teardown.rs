//! The end of a cluster. Its children go with it by their owner references; only what is in the broker must be
//! removed by hand. The finalizer always lets go: an exchange left behind is a lesser evil than a namespace that
//! cannot be deleted.

use crds::DeletionPolicy;
use crds::VibeTalkClusterStatus;
use crds::condition::{ConditionType, Reason};
use jiff::{SignedDuration, Timestamp};

use super::conditions::{self, Verdict};
use super::secrets;
use crate::cluster::Cluster;
use crate::observe::{BrokerState, Observed, SecretState};
use crate::plan::{BrokerAction, Finalizer, Notice, Plan, Requeue, Severity};

/// How long a broker that does not answer holds up the deletion, unless it was tried only once by then.
const DEADLINE: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn decide(cluster: &Cluster, observed: &Observed, since: Timestamp, now: Timestamp) -> Plan {
    let report = |requeue| Plan::report_only(cluster.status.clone(), requeue);
    let let_go = || Plan { finalizer: Finalizer::LetGo, ..report(Requeue::Never) };
    if !cluster.held {
        return report(Requeue::Never);
    }
    let Some(rabbitmq) = &cluster.rabbitmq else {
        return Plan { notices: vec![left("spec.rabbitmq cannot be read")], ..let_go() };
    };
    if rabbitmq.deletion_policy == DeletionPolicy::Retain {
        return let_go();
    }
    // Counted from the deletion, however long no operator was there to see it: so one try that failed must be known.
    let late = now.duration_since(since) >= DEADLINE && has_waited(cluster);
    let wait = match &observed.broker {
        BrokerState::Exchanges(found) => {
            let delete = found.iter().map(|exchange| BrokerAction::Delete(exchange.name.clone()));
            let finalizer = if late { Finalizer::LetGo } else { Finalizer::Remove };
            return Plan { broker: delete.collect(), finalizer, ..let_go() };
        }
        BrokerState::Failed(error) => error.to_string(),
        BrokerState::NotAsked => match &observed.secrets.rabbitmq {
            SecretState::Unknown(why) => why.clone(),
            state => {
                let gone = secrets::problem(cluster.broker_field(), state, cluster);
                let why = gone.map_or_else(|| "no credentials".to_owned(), |(_, message)| message);
                return Plan { notices: vec![left(&why)], ..let_go() };
            }
        },
    };
    if late {
        return Plan { notices: vec![left(&wait)], ..let_go() };
    }
    Plan::report_only(waiting(cluster, &wait, now), Requeue::Step)
}

fn left(why: &str) -> Notice {
    Notice {
        severity: Severity::Warning,
        reason: "ExchangesLeft".to_owned(),
        message: format!("the exchanges were not removed from the broker: {why}"),
    }
}

/// Whether the status tells of a try that failed.
fn has_waited(cluster: &Cluster) -> bool {
    let ready = conditions::previous(cluster, ConditionType::Ready);
    ready.is_some_and(|ready| ready.reason == Reason::Deleting.to_string())
}

/// What is said while the broker holds up the deletion.
pub fn held_up(why: &str) -> Verdict {
    let message = format!("waiting up to {} s for the broker: {why}", DEADLINE.as_secs());
    Verdict::no(ConditionType::Ready, Reason::Deleting, message)
}

fn waiting(cluster: &Cluster, why: &str, now: Timestamp) -> VibeTalkClusterStatus {
    let ready = held_up(why);
    let verdicts = ConditionType::ALL.map(|kind| match kind {
        ConditionType::Ready => ready.clone(),
        kind => conditions::previous(cluster, kind)
            .unwrap_or_else(|| Verdict::unknown(kind, Reason::Deleting, ready.message.clone())),
    });
    VibeTalkClusterStatus {
        observed_generation: cluster.generation,
        conditions: conditions::assemble(cluster, verdicts.into(), now),
        ..cluster.status.clone()
    }
}

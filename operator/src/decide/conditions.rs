//! The conditions: what each says, and how they become the status.

use crds::VibeTalkClusterSpec;
use crds::condition::{ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::cluster::Cluster;
use crate::resources::Kind;

/// A condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it is about.
    pub kind: ConditionType,
    /// Whether it holds.
    pub state: State,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence; the same words as long as the cause is the same.
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

/// What must hold for users to chat, the likeliest cause of the others first.
const NEEDED: [ConditionType; 5] = [
    ConditionType::TopologyInSync,
    ConditionType::StoreReachable,
    ConditionType::WorkloadAvailable,
    ConditionType::ClocksInSync,
    ConditionType::ExposureReady,
];

/// Longest message in a status. The API server's words about a long list can be many times longer than it takes itself.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// Why a needed condition may not hold and users can chat all the same.
const HARMLESS: [Reason; 4] =
    [Reason::NotRequested, Reason::Repartitioning, Reason::NodeUnreachable, Reason::ExchangeLeft];

impl Verdict {
    /// It holds.
    pub fn yes(kind: ConditionType, message: impl Into<String>) -> Self {
        Self::new(kind, State::True, Reason::AsSpecified, message)
    }

    /// It does not hold.
    pub fn no(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(kind, State::False, reason, message)
    }

    /// Nobody can say.
    pub fn unknown(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(kind, State::Unknown, reason, message)
    }

    /// Any other combination.
    pub fn new(kind: ConditionType, state: State, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind, state, reason: reason.to_string(), message: message.into() }
    }
}

impl State {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Whether the operator may write.
pub(super) fn paused(spec: &VibeTalkClusterSpec) -> Verdict {
    let kind = ConditionType::Paused;
    if spec.paused {
        let message = "spec.paused is true: nothing is changed";
        Verdict::new(kind, State::True, Reason::PausedBySpec, message)
    } else {
        Verdict::no(kind, Reason::NotRequested, "spec.paused is false")
    }
}

/// The spec asks for a kind that this Kubernetes cluster does not have.
pub(super) fn kind_missing(kind: ConditionType, missing: Kind, instead: &str) -> Verdict {
    let api_version = missing.resource().api_version;
    let message =
        format!("this Kubernetes cluster does not have {missing} ({api_version}): install it, or {instead}");
    Verdict::no(kind, Reason::KindMissing, message)
}

/// Puts `verdict` in the place of the one about the same condition.
pub(super) fn overrule(verdicts: &mut Vec<Verdict>, verdict: Verdict) {
    verdicts.retain(|other| other.kind != verdict.kind);
    verdicts.push(verdict);
}

/// Says what else is changing, where nothing else was to be said.
pub(super) fn add_progress(verdicts: &mut Vec<Verdict>, progress: Verdict) {
    let idle = Reason::AsSpecified.to_string();
    if verdicts.iter().any(|verdict| verdict.kind == progress.kind && verdict.reason == idle) {
        overrule(verdicts, progress);
    }
}

/// What the status said of a condition so far.
pub(super) fn previous(cluster: &Cluster, kind: ConditionType) -> Option<Verdict> {
    let name = kind.to_string();
    let condition = cluster.status.conditions.iter().find(|condition| condition.type_ == name)?;
    let state = match condition.status.as_str() {
        "True" => State::True,
        "False" => State::False,
        _ => State::Unknown,
    };
    Some(Verdict { kind, state, reason: condition.reason.clone(), message: condition.message.clone() })
}

/// All conditions in their order. `Ready` sums up, and a time moves only when its status flips.
pub(super) fn assemble(cluster: &Cluster, mut verdicts: Vec<Verdict>, now: Timestamp) -> Vec<Condition> {
    if verdicts.iter().all(|verdict| verdict.kind != ConditionType::Ready) {
        verdicts.push(ready(&verdicts));
    }
    let verdict = |kind| {
        let found = verdicts.iter().find(|verdict| verdict.kind == kind).cloned();
        found.unwrap_or_else(|| Verdict::unknown(kind, Reason::NotObserved, "not looked at yet"))
    };
    ConditionType::ALL.map(|kind| condition(cluster, verdict(kind), now)).into()
}

/// Replaces what a status says of one condition, after an attempt to write taught better.
pub fn amend(cluster: &Cluster, conditions: &mut Vec<Condition>, verdict: Verdict, now: Timestamp) {
    let amended = condition(cluster, verdict, now);
    match conditions.iter_mut().find(|condition| condition.type_ == amended.type_) {
        Some(place) => *place = amended,
        None => conditions.push(amended),
    }
}

fn ready(verdicts: &[Verdict]) -> Verdict {
    let harmless = HARMLESS.map(|reason| reason.to_string());
    let needed = || NEEDED.iter().filter_map(|kind| verdicts.iter().find(|verdict| verdict.kind == *kind));
    let failed =
        needed().find(|verdict| verdict.state == State::False && !harmless.contains(&verdict.reason));
    let unsure = needed().find(|verdict| {
        let essential =
            matches!(verdict.kind, ConditionType::WorkloadAvailable | ConditionType::TopologyInSync);
        verdict.state == State::Unknown && essential
    });
    match failed.or(unsure) {
        Some(cause) => Verdict { kind: ConditionType::Ready, ..cause.clone() },
        None => Verdict::yes(ConditionType::Ready, "users can chat"),
    }
}

fn condition(cluster: &Cluster, verdict: Verdict, now: Timestamp) -> Condition {
    let type_ = verdict.kind.to_string();
    let status = verdict.state.name();
    let previous = cluster.status.conditions.iter().find(|condition| condition.type_ == type_);
    let since = previous.filter(|condition| condition.status == status);
    Condition {
        last_transition_time: since.map_or(Time(now), |condition| condition.last_transition_time.clone()),
        observed_generation: cluster.generation,
        status: status.to_owned(),
        reason: verdict.reason,
        message: shortened(verdict.message),
        type_,
    }
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_message_is_never_longer_than_the_api_server_takes() {
        let cluster = fixture::cluster(|_| {});
        let told = |message: String| {
            let verdict = Verdict::no(ConditionType::Progressing, Reason::WriteFailed, message);
            condition(&cluster, verdict, Timestamp::UNIX_EPOCH).message
        };
        assert_eq!(told("ä".repeat(1_000)), "ä".repeat(1_000));
        assert_eq!(told("ä".repeat(9_000)), "ä".repeat(1_000) + "…");
    }
}

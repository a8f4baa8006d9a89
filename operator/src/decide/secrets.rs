//! Secrets that are missing or incomplete: the condition of what needs them names the field, the Secret and the key.

use crds::condition::{ConditionType, Reason};

use super::conditions::{self, Verdict};
use crate::cluster::Cluster;
use crate::observe::{SecretState, Secrets};

/// Lets the problems of the Secrets overrule what is said of the conditions that need them.
pub(super) fn overrule(verdicts: &mut Vec<Verdict>, secrets: &Secrets, cluster: &Cluster) {
    let needed_for =
        [ConditionType::TopologyInSync, ConditionType::StoreReachable, ConditionType::WorkloadAvailable];
    for ((field, state), kind) in secrets.all(cluster).into_iter().zip(needed_for) {
        if let Some((reason, message)) = problem(field, state, cluster) {
            conditions::overrule(verdicts, Verdict::no(kind, reason, message));
        }
    }
}

/// What is wrong with a Secret, if anything is.
pub(super) fn problem(field: &str, state: &SecretState, cluster: &Cluster) -> Option<(Reason, String)> {
    let namespace = &cluster.namespace;
    match state {
        SecretState::Missing(name) => Some((
            Reason::SecretMissing,
            format!("{field}: there is no Secret `{name}` in namespace `{namespace}`; create it"),
        )),
        SecretState::Incomplete { secret, key, problem } => Some((
            Reason::SecretIncomplete,
            format!("{field}: key `{key}` of Secret `{secret}` in namespace `{namespace}` {problem}"),
        )),
        SecretState::Usable | SecretState::NotNeeded | SecretState::NotNamed | SecretState::Unknown(_) => {
            None
        }
    }
}

//! The exchanges in the broker: what is missing is declared, what is different is reported and never deleted.

use crds::condition::{ConditionType, Reason};
use crds::{TopologyStatus, VibeTalkClusterSpec};

use super::conditions::Verdict;
use crate::cluster::Cluster;
use crate::observe::{BrokerState, Observed};
use crate::plan::{BrokerAction, Requeue};
use crate::rabbitmq::{BrokerError, Exchange};

/// The epoch of a cluster whose partitions never changed.
const FIRST_EPOCH: u32 = 1;
/// Names in a message; more are counted.
const MAX_NAMED: usize = 3;

pub(super) struct Topology {
    pub(super) verdict: Verdict,
    pub(super) actions: Vec<BrokerAction>,
    pub(super) status: Option<TopologyStatus>,
    pub(super) requeue: Requeue,
}

pub(super) fn decide(cluster: &Cluster, spec: &VibeTalkClusterSpec, observed: &Observed) -> Topology {
    let hold = |verdict| Topology {
        verdict,
        actions: Vec::new(),
        status: cluster.status.topology,
        requeue: Requeue::Poll,
    };
    match &observed.broker {
        BrokerState::NotAsked => hold(Verdict::unknown(
            ConditionType::TopologyInSync,
            Reason::NotObserved,
            "the broker's credentials are not known",
        )),
        BrokerState::Failed(error) => hold(unreachable(error)),
        BrokerState::Exchanges(found) => compare(cluster, spec, found),
    }
}

/// Every exchange of a cluster: one for each partition, one for all nodes.
pub(super) fn wanted(cluster: &Cluster, spec: &VibeTalkClusterSpec) -> Vec<Exchange> {
    let key = cluster.key();
    let partitions = 0..spec.rabbitmq.partitions;
    let direct =
        partitions.map(|partition| Exchange::durable(key.partition(FIRST_EPOCH, partition), "direct"));
    direct.chain([Exchange::durable(key.control(), "fanout")]).collect()
}

fn compare(cluster: &Cluster, spec: &VibeTalkClusterSpec, found: &[Exchange]) -> Topology {
    let wanted = wanted(cluster, spec);
    let live = |name: &str| found.iter().find(|exchange| exchange.name == name);
    let missing: Vec<_> = wanted.iter().filter(|exchange| live(&exchange.name).is_none()).collect();
    let different: Vec<_> = wanted
        .iter()
        .filter_map(|exchange| live(&exchange.name).and_then(|live| difference(exchange, live)))
        .collect();
    let partitions = spec.rabbitmq.partitions;
    let kind = ConditionType::TopologyInSync;
    let verdict = if !different.is_empty() {
        let message = format!("{}; delete it in the broker and it is made anew", list(&different));
        Verdict::no(kind, Reason::ExchangeMismatch, message)
    } else if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|exchange| exchange.name.clone()).collect();
        Verdict::no(kind, Reason::ExchangeMissing, format!("declaring {}", list(&names)))
    } else {
        Verdict::yes(kind, format!("the exchanges of {partitions} partitions are declared"))
    };
    let in_sync = missing.is_empty() && different.is_empty();
    let status = if in_sync {
        let routing = spec.rabbitmq.routing;
        Some(TopologyStatus { epoch: FIRST_EPOCH, partitions, routing, target: None, step: None })
    } else {
        cluster.status.topology
    };
    Topology {
        verdict,
        requeue: if missing.is_empty() { Requeue::Poll } else { Requeue::Soon },
        actions: missing.into_iter().cloned().map(BrokerAction::Declare).collect(),
        status,
    }
}

fn difference(wanted: &Exchange, live: &Exchange) -> Option<String> {
    let rows = [
        ("type", wanted.kind.clone(), live.kind.clone()),
        ("durable", wanted.durable.to_string(), live.durable.to_string()),
        ("auto_delete", wanted.auto_delete.to_string(), live.auto_delete.to_string()),
        ("internal", wanted.internal.to_string(), live.internal.to_string()),
        ("arguments", text(wanted), text(live)),
    ];
    let differences: Vec<_> = rows
        .into_iter()
        .filter(|(_, wanted, live)| wanted != live)
        .map(|(property, wanted, live)| format!("{property} is {live}, not {wanted}"))
        .collect();
    (!differences.is_empty()).then(|| format!("exchange {}: {}", wanted.name, differences.join(", ")))
}

fn text(exchange: &Exchange) -> String {
    serde_json::Value::Object(exchange.arguments.clone()).to_string()
}

fn list(items: &[String]) -> String {
    let shown = items.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match items.len().checked_sub(MAX_NAMED) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn unreachable(error: &BrokerError) -> Verdict {
    let kind = ConditionType::TopologyInSync;
    match error {
        BrokerError::Unreachable { .. } => Verdict::no(kind, Reason::BrokerUnreachable, error.to_string()),
        BrokerError::Refused { .. } => Verdict::no(
            kind,
            Reason::BrokerUnreachable,
            format!(
                "{error}; check the user of spec.rabbitmq.secretRef: it needs the tag `management` and the right to configure `vt.*`"
            ),
        ),
        BrokerError::Mismatch { .. } => Verdict::no(kind, Reason::ExchangeMismatch, error.to_string()),
    }
}

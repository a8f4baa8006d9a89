//! The exchanges in the broker and the epochs that the chat nodes use: what is missing is declared, what is different is
//! reported and never deleted, and a change of the partitions or the routing moves the chat nodes while they serve.

mod course;
mod exchanges;
mod fleet;
mod health;
mod order;
mod steps;
mod verdict;

use crds::{TopologyOrder, TopologyStatus, VibeTalkClusterSpec};
use jiff::Timestamp;

use self::course::{Course, base};
use self::exchanges::Difference;
use self::fleet::Fleet;
use self::order::{Current, highest_seen, highest_with};
use self::steps::{Turn, View};
use super::conditions::Verdict;
use crate::cluster::Cluster;
use crate::observe::{BrokerState, Observed};
use crate::plan::{BrokerAction, NodeOrder, Notice, Requeue};
use crate::rabbitmq::Exchange;

pub(super) struct Topology {
    pub(super) verdict: Verdict,
    /// What `Progressing` has to say of a change.
    pub(super) progress: Option<Verdict>,
    pub(super) actions: Vec<BrokerAction>,
    /// What nodes are to begin with, and what they are told.
    pub(super) order: TopologyOrder,
    /// The highest epoch that was ever ordered, those of `order` among them.
    pub(super) highest_epoch: u32,
    pub(super) orders: Vec<NodeOrder>,
    pub(super) retire: Vec<String>,
    pub(super) status: Option<TopologyStatus>,
    pub(super) notices: Vec<Notice>,
    pub(super) requeue: Requeue,
}

pub(super) fn decide(
    cluster: &Cluster,
    spec: &VibeTalkClusterSpec,
    observed: &Observed,
    now: Timestamp,
) -> Topology {
    let fleet = Fleet::of(&observed.pods, now);
    let current = Current::of(cluster, spec, observed, &fleet);
    let exchanges = match &observed.broker {
        BrokerState::NotAsked => return hold(cluster, current, verdict::not_asked()),
        BrokerState::Failed(error) => {
            return hold(cluster, current, verdict::unreachable(cluster, error));
        }
        BrokerState::Exchanges(found) => found,
    };
    let key = cluster.key();
    let difference = Difference::of(&key, &current.order, exchanges);
    let goal = Course::from(&current.order, spec).goal();
    let to_goal =
        |name: &str| key.epoch_of(name).is_some_and(|epoch| Some(epoch) == goal.map(|goal| goal.epoch));
    let view = View {
        spec,
        current: &current,
        fleet: &fleet,
        blocked: difference.wrong.iter().any(|wrong| to_goal(&wrong.name)),
        difference: &difference,
        health: &observed.broker_health,
        is_known_to_move: cluster.status.topology.is_some_and(|topology| topology.step.is_some()),
        next_epoch: current.highest_epoch.max(highest_seen(cluster, observed, &fleet)).saturating_add(1),
    };
    let turn = view.turn();
    let status = status(cluster, &view, &turn);
    let said = verdict::Said::of(cluster, &view, &turn);
    let declares = difference.missing.iter().cloned().map(BrokerAction::Declare);
    Topology {
        notices: said.notices(cluster, status),
        progress: said.progress(),
        verdict: said.verdict(),
        requeue: requeue(cluster, &view, &turn),
        actions: declares.chain(health::reap(&observed.broker_health)).collect(),
        highest_epoch: highest_with(&turn.order, current.highest_epoch),
        order: turn.order,
        orders: turn.orders,
        retire: turn.retire,
        status,
    }
}

/// The exchanges of a cluster whose partitions never changed.
pub(super) fn first_exchanges(cluster: &Cluster, spec: &VibeTalkClusterSpec) -> Vec<Exchange> {
    exchanges::wanted(&cluster.key(), &order::first(spec))
}

/// The order of a cluster whose partitions never changed.
pub(super) fn first_order(spec: &VibeTalkClusterSpec) -> TopologyOrder {
    order::first(spec)
}

/// Nothing goes on while the broker says nothing.
fn hold(cluster: &Cluster, current: Current, verdict: Verdict) -> Topology {
    Topology {
        verdict,
        progress: None,
        actions: Vec::new(),
        order: current.order,
        highest_epoch: current.highest_epoch,
        orders: Vec::new(),
        retire: Vec::new(),
        status: cluster.status.topology,
        notices: Vec::new(),
        requeue: Requeue::Poll,
    }
}

fn status(cluster: &Cluster, view: &View<'_>, turn: &Turn) -> Option<TopologyStatus> {
    if !view.difference.missing.is_empty() && turn.step.is_none() {
        return cluster.status.topology;
    }
    let base = base(&turn.order)?;
    let target = Course::from(&turn.order, view.spec).goal().filter(|goal| *goal != base);
    Some(TopologyStatus {
        epoch: base.epoch,
        partitions: base.partitions,
        routing: base.routing,
        target,
        step: turn.step,
    })
}

fn requeue(cluster: &Cluster, view: &View<'_>, turn: &Turn) -> Requeue {
    let is_stuck = |status: TopologyStatus| status.step == turn.step;
    match turn.step {
        _ if !view.difference.missing.is_empty() => Requeue::Soon,
        None => Requeue::Poll,
        Some(_) if turn.waits_for.iter().any(|lag| lag.unheard) || view.blocked => Requeue::Step,
        // What is still bound to a queue is not deleted at once.
        Some(_) if !turn.retire.is_empty() && cluster.status.topology.is_some_and(is_stuck) => Requeue::Step,
        Some(_) => Requeue::Soon,
    }
}

#[cfg(test)]
mod tests;

//! The order that holds: which epochs the chat nodes listen to, and which one they publish to. The node ConfigMap
//! carries it, and beside it the highest epoch that was ever ordered: a chat node may know one that nothing else shows
//! any more, and refuses it with other partitions.

use crds::{TopologyOrder, TopologyPlan, TopologyStatus, VibeTalkClusterSpec};

use super::fleet::Fleet;
use crate::cluster::Cluster;
use crate::observe::{BrokerState, Observed};
use crate::resources::{self, Kind};

/// The epoch of a cluster whose partitions never changed.
const FIRST_EPOCH: u32 = 1;

/// The order that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Current {
    pub(super) order: TopologyOrder,
    /// Whether the ConfigMap says so. If not, it was never written or somebody took it away, and this is the best guess.
    pub(super) written: bool,
    /// The highest epoch that was ever ordered, those of `order` among them. From what can be seen where the ConfigMap does
    /// not say so.
    pub(super) highest_epoch: u32,
}

impl Current {
    pub(super) fn of(
        cluster: &Cluster,
        spec: &VibeTalkClusterSpec,
        observed: &Observed,
        fleet: &Fleet<'_>,
    ) -> Self {
        let live =
            observed.children.get(Kind::ConfigMap).filter(|live| super::super::drift::is_own(cluster, live));
        let seen = highest_seen(cluster, observed, fleet);
        let (order, written) = match live.and_then(resources::order_of).filter(|order| order.check().is_ok())
        {
            Some(order) => (order, true),
            None => (guess(cluster, spec, fleet, seen), false),
        };
        let remembered = live.and_then(resources::highest_epoch_of).unwrap_or(seen);
        Self { highest_epoch: highest_with(&order, remembered), order, written }
    }
}

/// The first order of a cluster that has none.
pub(super) fn first(spec: &VibeTalkClusterSpec) -> TopologyOrder {
    TopologyOrder::of(wished(spec, FIRST_EPOCH))
}

/// What the spec asks for, as the plan of an epoch.
pub(super) fn wished(spec: &VibeTalkClusterSpec, epoch: u32) -> TopologyPlan {
    TopologyPlan { epoch, partitions: spec.rabbitmq.partitions, routing: spec.rabbitmq.routing }
}

/// The highest of the epochs of an order and of another.
pub(super) fn highest_with(order: &TopologyOrder, other: u32) -> u32 {
    order.listen.iter().map(|plan| plan.epoch).fold(other, u32::max)
}

/// The highest epoch that anything was ever made for or told of, as far as can be seen.
pub(super) fn highest_seen(cluster: &Cluster, observed: &Observed, fleet: &Fleet<'_>) -> u32 {
    let key = cluster.key();
    let exchanges = match &observed.broker {
        BrokerState::Exchanges(found) => found.as_slice(),
        BrokerState::NotAsked | BrokerState::Failed(_) => &[],
    };
    let declared = exchanges.iter().filter_map(|exchange| key.epoch_of(&exchange.name));
    declared.chain(fleet.epochs()).fold(FIRST_EPOCH, u32::max)
}

/// From the status where there is one. What it says may be older than what was ordered last, by one step at most; an
/// order that is one step away from the one that holds loses nothing.
fn guess(cluster: &Cluster, spec: &VibeTalkClusterSpec, fleet: &Fleet<'_>, seen: u32) -> TopologyOrder {
    let Some(status) = cluster.status.topology else {
        return TopologyOrder::of(wished(spec, seen));
    };
    let TopologyStatus { epoch, partitions, routing, target, .. } = status;
    let base = TopologyPlan { epoch, partitions, routing };
    let moved = target.filter(|target| fleet.somebody_publishes_to(target.epoch));
    TopologyOrder {
        listen: std::iter::once(base).chain(target).collect(),
        publish: moved.map_or(epoch, |target| target.epoch),
    }
}

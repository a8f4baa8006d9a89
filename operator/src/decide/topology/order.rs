//! The order that holds: which epochs the chat nodes listen to, and which one they publish to. The node ConfigMap
//! carries it, so nothing has to be remembered.

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
        match live.and_then(resources::order_of).filter(|order| order.check().is_ok()) {
            Some(order) => Self { order, written: true },
            None => Self { order: guess(cluster, spec, observed, fleet), written: false },
        }
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

/// The highest epoch that anything was ever made for or told of, as far as can be seen.
pub(super) fn highest_epoch(cluster: &Cluster, observed: &Observed, fleet: &Fleet<'_>) -> Option<u32> {
    let key = cluster.key();
    let exchanges = match &observed.broker {
        BrokerState::Exchanges(found) => found.as_slice(),
        BrokerState::NotAsked | BrokerState::Failed(_) => &[],
    };
    let declared = exchanges.iter().filter_map(|exchange| key.epoch_of(&exchange.name));
    declared.chain(fleet.epochs()).max()
}

/// From the status where there is one. What it says may be older than what was ordered last, by one step at most; an
/// order that is one step away from the one that holds loses nothing.
fn guess(
    cluster: &Cluster,
    spec: &VibeTalkClusterSpec,
    observed: &Observed,
    fleet: &Fleet<'_>,
) -> TopologyOrder {
    let Some(status) = cluster.status.topology else {
        let epoch = highest_epoch(cluster, observed, fleet).unwrap_or(FIRST_EPOCH);
        return TopologyOrder::of(wished(spec, epoch.max(FIRST_EPOCH)));
    };
    let TopologyStatus { epoch, partitions, routing, target, .. } = status;
    let base = TopologyPlan { epoch, partitions, routing };
    let moved = target.filter(|target| fleet.somebody_publishes_to(target.epoch));
    TopologyOrder {
        listen: std::iter::once(base).chain(target).collect(),
        publish: moved.map_or(epoch, |target| target.epoch),
    }
}

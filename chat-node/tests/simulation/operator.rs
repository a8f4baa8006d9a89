//! What the operator does to the topology: a new epoch is listened to by all, then published to by all, then the old
//! one goes. A node that does not answer stalls the step; one that dies does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::{RoutingMode, TopologyOrder, TopologyPlan};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::trace::Event;

/// How often the nodes are asked how far they are.
const ASKS_EVERY: Duration = Duration::from_millis(200);

pub struct Operator {
    cluster: Arc<Cluster>,
    busy: AtomicBool,
}

impl Operator {
    pub fn new(cluster: &Arc<Cluster>) -> Arc<Self> {
        Arc::new(Self { cluster: Arc::clone(cluster), busy: AtomicBool::new(false) })
    }

    /// Begins to bring the nodes to a new epoch with other partitions, and perhaps another routing.
    pub fn repartition(self: &Arc<Self>, dice: &Dice) {
        if self.busy.swap(true, Ordering::Relaxed) {
            return;
        }
        let modes = [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static];
        let (partitions, routing) = (1 + dice.up_to(7) as u16, modes[dice.up_to(2) as usize]);
        let operator = Arc::clone(self);
        tokio::spawn(async move {
            operator.bring_to(partitions, routing).await;
            operator.busy.store(false, Ordering::Relaxed);
        });
    }

    async fn bring_to(&self, partitions: u16, routing: RoutingMode) {
        let old = self.cluster.network.wanted().listen.clone();
        let epoch = 1 + old.iter().map(|plan| plan.epoch).max().unwrap_or(0);
        let new = TopologyPlan { epoch, partitions, routing };
        let publish = self.cluster.network.wanted().publish;
        let both: Vec<_> = old.into_iter().chain([new]).collect();
        self.step(TopologyOrder { listen: both.clone(), publish }).await;
        self.step(TopologyOrder { listen: both, publish: epoch }).await;
        self.step(TopologyOrder::of(new)).await;
    }

    /// Orders until every node is there.
    async fn step(&self, order: TopologyOrder) {
        self.cluster.world.trace.note(Event::Fault(format!("{order:?}")));
        *self.cluster.network.wanted() = order.clone();
        while self.cluster.buses().iter().filter(|bus| !bus.obeys(&order)).count() > 0 {
            sleep(ASKS_EVERY).await;
        }
    }
}

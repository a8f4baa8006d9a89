//! The epochs that a node was told to use, and those that it uses.

use crds::topology::TopologyFault;
use crds::{TopologyOrder, TopologyPlan};

use crate::bus::Topic;
use crate::bus::routing::{self, Exchange, Key, Route};

/// What was ordered, and how far one connection has got.
#[derive(Debug)]
pub(super) struct Epochs {
    ordered: TopologyOrder,
    bound: Vec<TopologyPlan>,
    publishing: TopologyPlan,
}

impl Epochs {
    pub fn new(ordered: TopologyOrder) -> Result<Self, TopologyFault> {
        let publishing = ordered.check()?;
        Ok(Self { ordered, bound: Vec::new(), publishing })
    }

    /// Takes an order; `true`: it says something new.
    pub fn order(&mut self, order: TopologyOrder) -> Result<bool, TopologyFault> {
        order.check_after(&self.ordered)?;
        let new = order != self.ordered;
        self.ordered = order;
        Ok(new)
    }

    /// A new connection begins: nothing is bound, and publishing goes where it was told to.
    pub fn begin(&mut self) {
        self.bound.clear();
        self.publishing = self.ordered.plan(self.ordered.publish).unwrap_or(self.publishing);
    }

    /// An epoch that has to be bound.
    pub fn to_join(&self) -> Option<TopologyPlan> {
        self.ordered.listen.iter().find(|plan| !self.bound.contains(plan)).copied()
    }

    /// An epoch is bound; publishing goes there if that was ordered.
    pub fn joined(&mut self, plan: TopologyPlan) {
        self.bound.push(plan);
        self.switch();
    }

    /// Publishes where it was told to, if that is bound.
    fn switch(&mut self) {
        let wanted = self.ordered.publish;
        if let Some(plan) = self.bound.iter().find(|plan| plan.epoch == wanted) {
            self.publishing = *plan;
        }
    }

    /// An epoch that nobody needs any more.
    pub fn to_leave(&mut self) -> Option<TopologyPlan> {
        self.switch();
        let unneeded =
            |plan: &&TopologyPlan| !self.ordered.listen.contains(plan) && self.publishing != **plan;
        self.bound.iter().find(unneeded).copied()
    }

    /// An epoch is not bound any more.
    pub fn left(&mut self, plan: TopologyPlan) {
        self.bound.retain(|bound| *bound != plan);
    }

    pub fn bound(&self) -> &[TopologyPlan] {
        &self.bound
    }

    pub fn publishing(&self) -> TopologyPlan {
        self.publishing
    }

    /// The exchanges that the node hears from.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let partitions = self.bound.iter().flat_map(|plan| Exchange::all(*plan));
        std::iter::once(Exchange::Control).chain(partitions).collect()
    }
}

/// What has to be bound of a plan: the probes' key, what is always bound, and what topics ask for.
pub(super) fn bindings<'a>(
    plan: TopologyPlan,
    queue: &Key,
    topics: impl IntoIterator<Item = &'a Topic>,
) -> Vec<Route> {
    let routing = routing::of(plan.routing);
    let mut routes: Vec<_> =
        Exchange::all(plan).map(|exchange| Route { exchange, key: queue.clone() }).collect();
    routes.extend(routing.standing(plan));
    routes.extend(topics.into_iter().filter_map(|topic| routing.binding(plan, topic)));
    routes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::RoutingMode;

    fn plan(epoch: u32) -> TopologyPlan {
        TopologyPlan { epoch, partitions: 4, routing: RoutingMode::User }
    }

    fn order(listen: &[u32], publish: u32) -> TopologyOrder {
        TopologyOrder { listen: listen.iter().copied().map(plan).collect(), publish }
    }

    fn serving(epoch: u32) -> Epochs {
        let mut epochs = Epochs::new(order(&[epoch], epoch)).unwrap();
        epochs.begin();
        epochs.joined(plan(epoch));
        epochs
    }

    #[test]
    fn publishing_moves_only_to_what_is_bound() {
        let mut epochs = serving(1);
        assert_eq!(epochs.order(order(&[1, 2], 2)), Ok(true));
        assert_eq!((epochs.to_join(), epochs.to_leave()), (Some(plan(2)), None));
        assert_eq!(epochs.publishing(), plan(1));
        epochs.joined(plan(2));
        assert_eq!(epochs.publishing(), plan(2));
    }

    #[test]
    fn an_epoch_is_left_only_after_publishing_has_moved() {
        let mut epochs = serving(1);
        epochs.order(order(&[2], 2)).unwrap();
        assert_eq!(epochs.to_leave(), None);
        epochs.joined(plan(2));
        assert_eq!(epochs.to_leave(), Some(plan(1)));
        epochs.left(plan(1));
        assert_eq!(epochs.to_leave(), None);
        assert_eq!(epochs.bound(), [plan(2)]);
    }

    #[test]
    fn a_change_that_is_given_up_leaves_everything_as_it_was() {
        let mut epochs = serving(1);
        epochs.order(order(&[1, 2], 1)).unwrap();
        epochs.joined(plan(2));
        epochs.order(order(&[1], 1)).unwrap();
        assert_eq!(epochs.to_leave(), Some(plan(2)));
        assert_eq!(epochs.publishing(), plan(1));
    }

    #[test]
    fn the_same_order_again_is_nothing_new() {
        let mut epochs = serving(1);
        assert_eq!(epochs.order(order(&[1], 1)), Ok(false));
    }

    #[test]
    fn a_new_connection_binds_the_whole_order() {
        let mut epochs = serving(1);
        epochs.order(order(&[1, 2], 2)).unwrap();
        epochs.begin();
        assert_eq!((epochs.publishing(), epochs.bound()), (plan(2), &[][..]));
        epochs.joined(plan(1));
        assert_eq!(epochs.to_join(), Some(plan(2)));
    }
}

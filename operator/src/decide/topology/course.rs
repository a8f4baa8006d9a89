//! Where the chat nodes are to go from the order that holds. Two orders that follow each other are one step apart: while
//! some nodes follow the one and some the other, every message still reaches every node.
//!
//! | order | next, once |
//! | --- | --- |
//! | listen `a`, publish `a` | listen `a b`, publish `a`: at once |
//! | listen `a b`, publish `a` | listen `a b`, publish `b`: every node listens to both |
//! | listen `a b`, publish `b` | listen `b`, publish `b`: every node publishes to `b`, and nothing is on its way to `a` |
//!
//! A change that is given up goes the same way back.

use crds::{TopologyOrder, TopologyPlan, VibeTalkClusterSpec};

/// Where to go from an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Nobody has heard of the epoch that is wanted; its plan is still to be made.
    Begin,
    /// All are to publish to the epoch of this plan, which they listen to.
    Switch(TopologyPlan),
    /// All are to forget the other epochs.
    Drop(TopologyPlan),
    /// All is as it should be.
    Stay(TopologyPlan),
}

impl Course {
    pub(super) fn from(order: &TopologyOrder, spec: &VibeTalkClusterSpec) -> Self {
        match goal(order, spec) {
            None => Self::Begin,
            Some(goal) if order.publish != goal.epoch => Self::Switch(goal),
            Some(goal) if order.listen.len() > 1 => Self::Drop(goal),
            Some(goal) => Self::Stay(goal),
        }
    }

    /// The plan that is steered for, where there is one.
    pub(super) fn goal(self) -> Option<TopologyPlan> {
        match self {
            Self::Begin => None,
            Self::Switch(goal) | Self::Drop(goal) | Self::Stay(goal) => Some(goal),
        }
    }
}

/// The epoch in the order that is as the spec says. In the middle of a change to something else, the epoch that it
/// began with: one change at a time.
fn goal(order: &TopologyOrder, spec: &VibeTalkClusterSpec) -> Option<TopologyPlan> {
    let rabbitmq = &spec.rabbitmq;
    let fits =
        |plan: &&TopologyPlan| plan.partitions == rabbitmq.partitions && plan.routing == rabbitmq.routing;
    let fitting = order.listen.iter().filter(fits).max_by_key(|plan| plan.epoch == order.publish);
    let is_changing = order.listen.len() > 1;
    fitting.copied().or_else(|| is_changing.then(|| base(order)).flatten())
}

/// The epoch that a change begins with; without a change the only one.
pub(super) fn base(order: &TopologyOrder) -> Option<TopologyPlan> {
    order.listen.iter().min_by_key(|plan| plan.epoch).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn plan(epoch: u32, partitions: u16) -> TopologyPlan {
        TopologyPlan { epoch, partitions, routing: crds::RoutingMode::default() }
    }

    fn course(listen: &[TopologyPlan], publish: u32, wanted: u16) -> Course {
        let cluster = fixture::cluster(|spec| spec["rabbitmq"]["partitions"] = wanted.into());
        Course::from(&TopologyOrder { listen: listen.to_vec(), publish }, cluster.spec.as_ref().unwrap())
    }

    #[test]
    fn a_change_goes_forward_step_by_step() {
        let (a, b) = (plan(1, 4), plan(2, 16));
        assert_eq!(course(&[a], 1, 4), Course::Stay(a));
        assert_eq!(course(&[a], 1, 16), Course::Begin);
        assert_eq!(course(&[a, b], 1, 16), Course::Switch(b));
        assert_eq!(course(&[a, b], 2, 16), Course::Drop(b));
        assert_eq!(course(&[b], 2, 16), Course::Stay(b));
    }

    #[test]
    fn a_change_that_is_given_up_goes_back_also_from_its_middle() {
        let (a, b) = (plan(1, 4), plan(2, 16));
        for elsewhere in [4, 6] {
            assert_eq!(course(&[a, b], 2, elsewhere), Course::Switch(a));
            assert_eq!(course(&[a, b], 1, elsewhere), Course::Drop(a));
        }
        assert_eq!(course(&[a], 1, 6), Course::Begin);
    }
}

//! How a cluster uses the broker: which exchanges, by which routing, and what a chat node's own queue is like.

use serde::{Deserialize, Serialize};

use crate::Duration;

/// Path on the admin port where a chat node takes a [`TopologyOrder`] (`PUT`).
pub const TOPOLOGY_PATH: &str = "/v1/topology";
/// Epochs that a node listens to at once, at most: the old one, the new one, and one that was given up.
pub const EPOCHS_MAX: usize = 4;

/// What a message's routing key is, and so what a chat node binds its queue to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "resource", derive(schemars::JsonSchema))]
pub enum RoutingMode {
    /// The user: a node binds its queue once per user who is connected to it.
    User,
    /// The channel: a node binds its queue once per channel that somebody connected to it follows.
    #[default]
    Channel,
    /// None: every node takes every partition, and nothing is bound while users come and go.
    Static,
}

/// The partitions of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "resource", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopologyPlan {
    /// Grows by one with every change of the rest; first 1.
    pub epoch: u32,
    /// Number of exchanges that users or channels are hashed over, 1..=256.
    pub partitions: u16,
    /// What they are hashed by.
    #[serde(default)]
    pub routing: RoutingMode,
}

/// The whole state that a chat node is to be in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopologyOrder {
    /// The epochs whose exchanges the node's queue is bound to, 1..=[`EPOCHS_MAX`].
    pub listen: Vec<TopologyPlan>,
    /// The epoch to publish to; one of those in `listen`.
    pub publish: u32,
}

/// What is wrong with a [`TopologyOrder`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyFault {
    /// Too few or too many epochs.
    #[error("`listen` names {0} epochs; it must be 1 to {EPOCHS_MAX}")]
    Count(usize),
    /// An epoch is 0.
    #[error("`listen` names the epoch 0; the first epoch is 1")]
    Zero,
    /// An epoch occurs twice.
    #[error("`listen` names the epoch {0} twice")]
    Twice(u32),
    /// A number of partitions is out of its bounds.
    #[error("the epoch {epoch} in `listen` has {partitions} partitions; it must be 1 to 256")]
    Partitions {
        /// Whose.
        epoch: u32,
        /// How many.
        partitions: u16,
    },
    /// Messages would go where nobody listens.
    #[error("`publish` is {0}, an epoch that is not in `listen`")]
    Publish(u32),
    /// The epoch is known with other partitions or another routing.
    #[error(
        "the epoch {0} is known here with other partitions or another routing; a change needs a new epoch"
    )]
    Changed(u32),
}

impl TopologyOrder {
    /// To listen to one epoch and to publish to it.
    pub fn of(plan: TopologyPlan) -> Self {
        Self { listen: vec![plan], publish: plan.epoch }
    }

    /// The plan of the epoch to publish to.
    ///
    /// # Errors
    /// [`TopologyFault`]: the order makes no sense.
    pub fn check(&self) -> Result<TopologyPlan, TopologyFault> {
        let count = self.listen.len();
        if !(1..=EPOCHS_MAX).contains(&count) {
            return Err(TopologyFault::Count(count));
        }
        for (nth, TopologyPlan { epoch, partitions, .. }) in self.listen.iter().copied().enumerate() {
            if epoch == 0 {
                return Err(TopologyFault::Zero);
            }
            if self.listen[..nth].iter().any(|earlier| earlier.epoch == epoch) {
                return Err(TopologyFault::Twice(epoch));
            }
            if !(1..=256).contains(&partitions) {
                return Err(TopologyFault::Partitions { epoch, partitions });
            }
        }
        self.plan(self.publish).ok_or(TopologyFault::Publish(self.publish))
    }

    /// Whether this order can follow `earlier`: an epoch never changes.
    ///
    /// # Errors
    /// [`TopologyFault`].
    pub fn check_after(&self, earlier: &Self) -> Result<TopologyPlan, TopologyFault> {
        let publish = self.check()?;
        let changed = |plan: &&TopologyPlan| earlier.plan(plan.epoch).is_some_and(|known| known != **plan);
        match self.listen.iter().find(changed) {
            Some(plan) => Err(TopologyFault::Changed(plan.epoch)),
            None => Ok(publish),
        }
    }

    /// The plan of an epoch in `listen`.
    pub fn plan(&self, epoch: u32) -> Option<TopologyPlan> {
        self.listen.iter().find(|plan| plan.epoch == epoch).copied()
    }
}

/// The queue that every chat node has in the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "resource", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerQueue {
    /// How the broker keeps it.
    #[serde(default, rename = "type")]
    pub kind: QueueType,

    /// What may wait in it, in bytes; beyond that the oldest is dropped, and found in the store.
    #[serde(default = "default_max_bytes")]
    #[cfg_attr(feature = "resource", schemars(range(min = 1_048_576, max = 4_294_967_296_u64)))]
    pub max_bytes: u64,

    /// How long it outlives its chat node.
    #[serde(default = "default_expires")]
    pub expires: Duration,
}

impl ServerQueue {
    /// Bounds of `max_bytes`.
    pub const MAX_BYTES: std::ops::RangeInclusive<u64> = 1_048_576..=4_294_967_296;
}

impl Default for ServerQueue {
    fn default() -> Self {
        Self { kind: QueueType::default(), max_bytes: default_max_bytes(), expires: default_expires() }
    }
}

/// How the broker keeps a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "resource", derive(schemars::JsonSchema))]
pub enum QueueType {
    /// On one broker node, and lost with it.
    #[default]
    Classic,
    /// Replicated, and slower.
    Quorum,
}

fn default_max_bytes() -> u64 {
    64 * 1024 * 1024
}
fn default_expires() -> Duration {
    Duration::seconds(120)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(epoch: u32, partitions: u16) -> TopologyPlan {
        TopologyPlan { epoch, partitions, routing: RoutingMode::default() }
    }

    fn order(listen: &[TopologyPlan], publish: u32) -> TopologyOrder {
        TopologyOrder { listen: listen.to_vec(), publish }
    }

    #[test]
    fn an_order_that_makes_sense_names_the_plan_to_publish_to() {
        assert_eq!(TopologyOrder::of(plan(1, 4)).check(), Ok(plan(1, 4)));
        assert_eq!(order(&[plan(1, 4), plan(2, 16)], 2).check(), Ok(plan(2, 16)));
    }

    #[test]
    fn an_order_that_makes_none_is_refused_with_the_reason() {
        let many: Vec<_> = (1..=5).map(|epoch| plan(epoch, 1)).collect();
        for (order, fault) in [
            (order(&[], 1), TopologyFault::Count(0)),
            (order(&many, 1), TopologyFault::Count(5)),
            (order(&[plan(0, 4)], 0), TopologyFault::Zero),
            (order(&[plan(1, 4), plan(1, 4)], 1), TopologyFault::Twice(1)),
            (order(&[plan(1, 0)], 1), TopologyFault::Partitions { epoch: 1, partitions: 0 }),
            (order(&[plan(1, 257)], 1), TopologyFault::Partitions { epoch: 1, partitions: 257 }),
            (order(&[plan(1, 4)], 2), TopologyFault::Publish(2)),
        ] {
            assert_eq!(order.check(), Err(fault));
        }
    }

    #[test]
    fn a_known_epoch_never_changes() {
        let first = TopologyOrder::of(plan(1, 4));
        assert!(order(&[plan(1, 4), plan(2, 8)], 1).check_after(&first).is_ok());
        assert_eq!(TopologyOrder::of(plan(1, 8)).check_after(&first), Err(TopologyFault::Changed(1)));
        let static_one = TopologyPlan { routing: RoutingMode::Static, ..plan(1, 4) };
        assert_eq!(TopologyOrder::of(static_one).check_after(&first), Err(TopologyFault::Changed(1)));
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        let read: TopologyPlan = serde_json::from_str(r#"{"epoch":1,"partitions":4}"#).unwrap();
        assert_eq!(read, plan(1, 4));
        assert_eq!(serde_json::from_str::<ServerQueue>("{}").unwrap(), ServerQueue::default());
        assert!(serde_json::from_str::<TopologyOrder>(r#"{"listen":[],"publish":1,"more":1}"#).is_err());
    }
}

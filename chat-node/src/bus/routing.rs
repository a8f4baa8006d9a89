//! Where an envelope goes, and what must be bound so that it arrives. Nothing here talks to a broker: an audience
//! becomes routes to publish to, a topic becomes a route to bind.

mod channel;
mod fixed;
mod user;

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use crds::exchange::ClusterKey;
use crds::{RoutingMode, TopologyPlan};

use super::Audience;
use super::partition;
use crate::ids::{ChannelId, UserId};

/// Members beyond which an envelope goes to every node instead of to each member.
pub const USER_ROUTING_MEMBERS_MAX: usize = 256;

/// What a node wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// What is addressed to a user.
    User(UserId),
    /// What happens in a channel.
    Channel(ChannelId),
}

/// A place in the broker: an envelope is published there, and who has bound it gets it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The exchange.
    pub exchange: Exchange,
    /// The routing key.
    pub key: Key,
}

/// An exchange of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// For every node, whatever the key.
    Control,
    /// For the nodes that have bound the key.
    Partition {
        /// The epoch.
        epoch: u32,
        /// The number within the epoch.
        partition: u16,
    },
}

/// A routing key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The key where none is looked at.
    Empty,
    /// A user's or a channel's id.
    Topic(Topic),
    /// The key that every node binds.
    All,
    /// A queue's name: what only that queue gets.
    Queue(Arc<str>),
}

/// One way to route. Pure; the plan says which exchanges there are.
pub trait Routing: Debug + Sync {
    /// Where an envelope for `audience` is published, once each.
    fn routes(&self, plan: TopologyPlan, audience: Audience<'_>) -> Vec<Route>;

    /// What a node binds so that it hears of `topic`; `None`: it hears of it anyway.
    fn binding(&self, plan: TopologyPlan, topic: &Topic) -> Option<Route>;

    /// What a node binds from the beginning, beside the control exchange.
    fn standing(&self, plan: TopologyPlan) -> Vec<Route>;
}

/// The routing of a mode.
pub fn of(mode: RoutingMode) -> &'static dyn Routing {
    match mode {
        RoutingMode::User => &user::ByUser,
        RoutingMode::Channel => &channel::ByChannel,
        RoutingMode::Static => &fixed::Fixed,
    }
}

impl Exchange {
    /// Its name in the broker.
    pub fn name(self, cluster: &ClusterKey) -> String {
        match self {
            Self::Control => cluster.control(),
            Self::Partition { epoch, partition } => cluster.partition(epoch, partition),
        }
    }

    /// The exchange of a key's partition.
    fn of_key(plan: TopologyPlan, key: &str) -> Self {
        let partition = partition::of_key(key, plan.partitions);
        Self::Partition { epoch: plan.epoch, partition }
    }

    /// Every partition of a plan.
    pub fn all(plan: TopologyPlan) -> impl Iterator<Item = Self> {
        (0..plan.partitions).map(move |partition| Self::Partition { epoch: plan.epoch, partition })
    }
}

impl Key {
    /// The key in the broker.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => "".into(),
            Self::Topic(Topic::User(user)) => user.as_str().into(),
            Self::Topic(Topic::Channel(channel)) => channel.to_string().into(),
            Self::All => "all".into(),
            Self::Queue(name) => name.as_ref().into(),
        }
    }
}

impl Route {
    /// To every node.
    pub const CONTROL: Self = Self { exchange: Exchange::Control, key: Key::Empty };

    fn to(plan: TopologyPlan, topic: Topic) -> Self {
        let key = Key::Topic(topic);
        Self { exchange: Exchange::of_key(plan, &key.text()), key }
    }
}

#[cfg(test)]
mod tests;

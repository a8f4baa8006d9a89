//! Chat nodes with users, and the channels that these talk in.

use anyhow::Result;
use chat_node::bus::{Audience, Bus};
use chat_node::ids::{ChannelId, UserId};
use futures::future::{join_all, try_join_all};

use crate::broker::Broker;
use crate::brokers::Address;
use crate::conformance::with_content;
use crate::node::Node;

/// Chat nodes.
pub const NODES: usize = 3;
/// Users, a third of them on each node.
const USERS: usize = 3_000;
/// Channels of each kind.
const CHANNELS: usize = 500;
/// Bytes of a message's text.
const CONTENT: usize = 200;
/// Whoever measures again measures the same channels.
const SEED: u64 = 17;

/// How many are in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Two.
    Direct,
    /// Ten.
    Group,
}

pub struct Town {
    pub nodes: Vec<Node>,
    directs: Vec<Channel>,
    groups: Vec<Channel>,
    content: String,
}

pub struct Channel {
    id: ChannelId,
    members: Vec<UserId>,
    /// The nodes where members are.
    pub homes: Vec<usize>,
}

impl Kind {
    const fn size(self) -> usize {
        match self {
            Self::Direct => 2,
            Self::Group => 10,
        }
    }
}

impl Channel {
    fn new(id: u64, members: &[usize]) -> Self {
        let homes = (0..NODES).filter(|home| members.iter().any(|user| home_of(*user) == *home));
        Self {
            id: ChannelId(id),
            members: members.iter().flat_map(|user| name_of(*user).parse()).collect(),
            homes: homes.collect(),
        }
    }

    pub fn audience(&self) -> Audience<'_> {
        Audience::Channel { id: self.id, members: &self.members }
    }
}

impl Town {
    /// Chat nodes whose ways to the broker are these, and their users.
    pub async fn settle(broker: &Broker, ways: &[Address]) -> Result<Self> {
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut channels = |kind: Kind, first: usize| -> Vec<Channel> {
            let mut members = || random.choose_multiple(0..USERS, kind.size());
            (first..first + CHANNELS).map(|id| Channel::new(id as u64, &members())).collect()
        };
        let (directs, groups) = (channels(Kind::Direct, 1_000), channels(Kind::Group, 2_000));
        let names = (0..NODES).map(|node| format!("node-{node}"));
        let starting =
            names.zip(ways).map(|(name, way)| async move { Node::start(broker, &name, way).await });
        let nodes = try_join_all(starting).await?;
        let town = Self { nodes, directs, groups, content: "x".repeat(CONTENT) };
        try_join_all((0..NODES).map(|home| town.move_in(home))).await?;
        Ok(town)
    }

    async fn move_in(&self, home: usize) -> Result<()> {
        let node = &self.nodes[home];
        let mut topics = 0;
        let users = (0..USERS).filter(|user| home_of(*user) == home);
        for user in users.flat_map(|user| name_of(user).parse::<UserId>()) {
            node.bus.attach(&user);
            topics += 1;
        }
        let channels = self.directs.iter().chain(&self.groups);
        for channel in channels.filter(|channel| channel.homes.contains(&home)) {
            node.bus.follow(channel.id);
            topics += 1;
        }
        node.listening(topics).await
    }

    /// Where a message is said.
    pub fn channel(&self, kind: Kind, number: u64) -> &Channel {
        let channels = match kind {
            Kind::Direct => &self.directs,
            Kind::Group => &self.groups,
        };
        &channels[number as usize % channels.len()]
    }

    /// Publishes a message from a node.
    pub fn say(&self, node: usize, (kind, number): (Kind, u64)) {
        let audience = self.channel(kind, number).audience();
        self.nodes[node].bus.publish(&with_content(&self.content, number), audience);
    }

    /// All nodes go in good order.
    pub async fn leave(&self) {
        join_all(self.nodes.iter().map(|node| node.bus.leave())).await;
    }
}

fn home_of(user: usize) -> usize {
    user % NODES
}

fn name_of(user: usize) -> String {
    format!("user-{user}")
}

//! The way of messages from one node's bus to another one's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chat_node::bus::{Audience, Bus};
use chat_node::ids::{ChannelId, UserId};
use crds::RoutingMode;
use tokio::time::timeout;

use crate::broker::Broker;
use crate::brokers::Brokers;
use crate::conformance::with_content;
use crate::log::users;
use crate::node::Node;
use crate::pace::{Pace, Turn};
use crate::times::Times;

/// Bytes of a message's text.
const CONTENT: usize = 200;
/// No other channel has the ids from here on.
const FIRST: u64 = 1_000;
/// How long the last message may be on its way.
const ARRIVED_WITHIN: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// Measures on exchanges of its own, which are deleted then.
pub async fn measure(brokers: &Brokers, pace: Pace) -> Result<Times> {
    let broker = Broker::at(brokers.uri(0), RoutingMode::default());
    broker.declare().await;
    let nodes = [
        Arc::new(Node::start(&broker, "one", brokers.of(0)).await?),
        Arc::new(Node::start(&broker, "other", brokers.of(1)).await?),
    ];
    let channels: Vec<[UserId; 2]> = (0..pace.channels).map(users).collect::<Result<_>>()?;
    for (number, node) in nodes.iter().enumerate() {
        for (channel, users) in channels.iter().enumerate() {
            node.bus.attach(&users[number]);
            node.bus.follow(ChannelId(FIRST + channel as u64));
        }
        node.listening(2 * channels.len()).await?;
    }
    let (speakers, content) = (nodes.clone(), "x".repeat(CONTENT));
    let publish = move |turn: Turn| {
        let (node, channel) = pace.place(turn);
        let audience =
            Audience::Channel { id: ChannelId(FIRST + channel as u64), members: &channels[channel] };
        speakers[node].bus.publish(&with_content(&content, turn.number as u64 + 1), audience);
    };
    let turns = pace.keep(publish).await?;
    let took = timeout(ARRIVED_WITHIN, arrived(&nodes, (pace, &turns))).await;
    for node in &nodes {
        node.bus.leave().await;
    }
    broker.delete().await;
    Times::of(took.context("some messages did not come")?)
}

/// How long each took that counts, until the other node had it; waits until all are there.
async fn arrived(nodes: &[Arc<Node>; 2], (pace, turns): (Pace, &[Turn])) -> Vec<Duration> {
    loop {
        let arrivals = [0, 1].map(|node| first_copies(&nodes[node]));
        let took = |turn: &Turn| {
            let (speaker, _) = pace.place(*turn);
            let at = arrivals[1 - speaker].get(&(turn.number as u64 + 1))?;
            Some((turn.counts, at.saturating_duration_since(turn.due)))
        };
        let took: Option<Vec<(bool, Duration)>> = turns.iter().map(took).collect();
        if let Some(took) = took {
            return took.into_iter().filter_map(|(counts, took)| counts.then_some(took)).collect();
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn first_copies(node: &Node) -> HashMap<u64, Instant> {
    let mut first = HashMap::new();
    for heard in node.heard().iter() {
        first.entry(heard.number).or_insert(heard.at);
    }
    first
}

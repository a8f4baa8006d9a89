//! How fast a chat node binds many users, or what they follow.

use std::time::Instant;

use anyhow::{Context, Result};
use chat_node::bus::Bus;
use chat_node::ids::{ChannelId, UserId};
use crds::RoutingMode;
use serde::Serialize;

use crate::broker::Broker;
use crate::brokers::Brokers;
use crate::node::Node;

/// Users, or channels.
const COUNT: usize = 10_000;
/// No other channel has the ids from here on.
const FIRST: u64 = 1_000_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    count: usize,
    per_second: f64,
}

/// A queue that has lost its node, and what is bound to it.
pub struct Orphan {
    pub queue: String,
    pub bindings: usize,
}

/// Binds them for a node of their own, which dies then and leaves its queue.
pub async fn measure(broker: &Broker, brokers: &Brokers) -> Result<(Orphan, Option<Binding>)> {
    let node = Node::start(broker, "crowd", brokers.of(0)).await?;
    let begun = Instant::now();
    (0..COUNT).for_each(|nth| want(&node, (broker.plan.routing, nth)));
    node.listening(COUNT).await?;
    let took = begun.elapsed();
    let queue = node.bus.queue().context("the node has lost its connection to the broker")?;
    if broker.plan.routing == RoutingMode::Static {
        return Ok((Orphan { queue, bindings: broker.plan.partitions.into() }, None));
    }
    let binding = Binding { count: COUNT, per_second: COUNT as f64 / took.as_secs_f64() };
    Ok((Orphan { queue, bindings: COUNT }, Some(binding)))
}

/// What this routing binds.
fn want(node: &Node, (routing, nth): (RoutingMode, usize)) {
    match routing {
        RoutingMode::Channel => node.bus.follow(ChannelId(FIRST + nth as u64)),
        RoutingMode::User | RoutingMode::Static => {
            format!("crowd-{nth}").parse::<UserId>().iter().for_each(|user| node.bus.attach(user));
        }
    }
}

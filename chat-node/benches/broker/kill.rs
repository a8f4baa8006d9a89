//! What a broker's sudden death does to messages: a node of the cluster is killed that has a chat node's queue and connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use chat_node::bus::Bus;
use crds::node::Dependency;
use futures::future::try_join_all;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::brokers::Brokers;
use crate::speech::{Fate, Script, Speech};
use crate::town::{Kind, NODES, Town};
use crate::way::Way;

const SCRIPT: Script = Script { kind: Kind::Direct, every: Duration::from_millis(5), most: 12_000 };
/// A message that takes longer than this has not come.
const SOON: Duration = Duration::from_secs(1);
/// How long after a missed message at the latest somebody knows that the store has to be asked.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
/// All is well again if it was for so long.
const WELL: Duration = Duration::from_secs(3);
/// If it is not by then, the dark lasts so long.
const WELL_WITHIN: Duration = Duration::from_secs(50);
const LOOK: Duration = Duration::from_millis(10);
/// The broker that dies; it is not the first, whose management API is asked.
const VICTIM: usize = NODES - 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kill {
    /// From the first message that did not come to every node within a second to the last one, in s.
    dark_s: f64,
    /// The longest way of a message that came, in ms.
    longest_ms: f64,
    /// Deliveries that had to be.
    due: usize,
    /// Those that did not come, also not later.
    missed: usize,
    /// Those of them of which no chat node knew that something may be missing.
    unnoticed: usize,
}

/// When somebody knew that something may be missing.
type Doubts = Vec<Instant>;

/// Kills a broker, and starts it again; `None`: none may be killed.
pub async fn measure(broker: &Broker, brokers: &Brokers) -> Result<Option<Kill>> {
    if !brokers.may_die() {
        return Ok(None);
    }
    let ways = try_join_all((0..NODES).map(|node| Way::open(brokers.from(node)))).await?;
    let addresses: Vec<_> = ways.iter().map(|way| way.address.clone()).collect();
    let town = Arc::new(Town::settle(broker, &addresses).await?);
    let before = brokers.pids().await;
    let killed = suffer(&town, brokers).await;
    brokers.inflict("start", VICTIM).await?;
    brokers.until_whole(&before).await?;
    town.leave().await;
    killed.map(Some)
}

async fn suffer(town: &Arc<Town>, brokers: &Brokers) -> Result<Kill> {
    let stop = CancellationToken::new();
    let ends = stop.clone().drop_guard();
    let (speech, said) = Speech::begin(town, SCRIPT, stop.clone());
    let doubts = tokio::spawn(doubts(Arc::clone(town), stop));
    tokio::time::sleep(SOON).await;
    brokers.inflict("kill", VICTIM).await?;
    let killed = Instant::now();
    let is_well = || trouble(town, &speech).is_none_or(|last| last.elapsed() > SOON + WELL);
    while killed.elapsed() < SOON + WELL || (killed.elapsed() < WELL_WITHIN && !is_well()) {
        tokio::time::sleep(LOOK * 10).await;
    }
    drop(ends);
    let said = said.await?;
    tokio::time::sleep(SOON).await;
    Ok(sum_up(town, &speech.fates(town, said), doubts.await?))
}

/// When the last message was due that did not come soon.
fn trouble(town: &Town, speech: &Speech) -> Option<Instant> {
    let said = speech.due_by(Instant::now() - SOON);
    let fates = speech.fates(town, said);
    fates.iter().filter(|fate| is_late(fate)).map(|fate| fate.due).max()
}

fn is_late(fate: &Fate) -> bool {
    fate.after.is_none_or(|after| after > SOON)
}

/// Looks again and again whether a node knows that something may be missing.
async fn doubts(town: Arc<Town>, stop: CancellationToken) -> Doubts {
    let mut doubts = Doubts::new();
    while !stop.is_cancelled() {
        if town.nodes.iter().any(|node| node.bus.health() != Dependency::Reachable) {
            doubts.push(Instant::now());
        }
        tokio::time::sleep(LOOK).await;
    }
    doubts
}

fn sum_up(town: &Town, fates: &[Fate], doubts: Doubts) -> Kill {
    let late = || fates.iter().filter(|fate| is_late(fate)).map(|fate| fate.due);
    let dark = late().max().zip(late().min()).map_or(Duration::ZERO, |(last, first)| last - first);
    let missed = || fates.iter().filter(|fate| fate.after.is_none());
    let is_known = |fate: &Fate| {
        let connected = town.nodes[fate.node].connected();
        let around = |at: &Instant| *at + SOON >= fate.due && *at <= fate.due + NOTICED_WITHIN;
        doubts.iter().chain(&connected).any(around)
    };
    Kill {
        dark_s: dark.as_secs_f64(),
        longest_ms: fates.iter().filter_map(|fate| fate.after).max().unwrap_or_default().as_secs_f64() * 1e3,
        due: fates.len(),
        missed: missed().count(),
        unnoticed: missed().filter(|fate| !is_known(fate)).count(),
    }
}

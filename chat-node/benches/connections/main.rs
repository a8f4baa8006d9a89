//! What clients cost a stand-alone node: time to let them in, memory while they are idle, and CPU time and delay of what is
//! delivered. The node is a process of its own on the first core, its clients are in this one on the last.
//!
//! `cargo bench --workspace --bench connections`; `VT_BENCH_CONNECTIONS` (2,000) and `VT_BENCH_MESSAGES` (as many as make
//! 250,000 deliveries, 50 at least) change the size. Each user has five channels. The floor is a bare loop of `send()` on
//! the first core over as many sockets, measured in turn with the node, as the machine's speed changes. The kernel's memory
//! is that of the whole machine. The results are one JSON document on standard output; `cargo e2e bench floor` makes a table
//! of them for crowds of several sizes.
#![allow(missing_docs)]

mod arrivals;
mod client;
mod crowd;
mod floor;
mod node;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::crowd::{Crowd, Guests, Readers};
use crate::floor::Floor;
use crate::node::Node;

/// Bytes of a message's text.
const CONTENT: usize = 200;
/// Deliveries of messages one by one, and how many messages those are at least.
const PACED: (usize, usize) = (250_000, 50);
/// Deliveries as fast as may be.
const TOGETHER: usize = 4_000_000;
/// In so many turns messages to all, to two and by the bare loop follow each other.
const TURNS: usize = 5;
const SETTLE: Duration = Duration::from_secs(3);

/// The results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    connections: usize,
    connects_per_second: f64,
    /// The node's CPU time for each, in µs.
    connect_us: f64,
    /// Of the node for each, idle, in KiB.
    resident_kib: f64,
    /// Of the kernel for each, idle, in KiB.
    slab_kib: f64,
    #[serde(flatten)]
    paced: Paced,
    coalesced_per_second: f64,
    /// The node's CPU time for each delivery, in µs.
    coalesced_us: f64,
}

/// Messages one by one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paced {
    /// The node's CPU time for each delivery, in µs.
    paced_us: f64,
    /// The bare loop's, in µs.
    send_us: f64,
    /// From when a message to all was sent until the last one had it, in ms.
    to_all_ms: f64,
    /// The same of a message to two: what it takes to store and to publish it.
    to_two_ms: f64,
    /// From when the bare loop began until the kernel had taken the last one, in ms.
    send_to_all_ms: f64,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(served) = floor::serve(&args) {
        return served;
    }
    let connections = size("VT_BENCH_CONNECTIONS").unwrap_or(2_000);
    let messages = size("VT_BENCH_MESSAGES").unwrap_or((PACED.0 / connections).max(PACED.1));
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    node::pin_to_last_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(run(connections, messages))?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

async fn run(connections: usize, messages: usize) -> Result<Measured> {
    let node = Node::start()?;
    let guests = Guests::introduce(&node.address, connections).await?;
    let (before, began) = (node.usage()?, Instant::now());
    let mut crowd = Crowd::connect(&node.address, &guests).await?;
    let (took, after) = (began.elapsed(), node.usage()?);
    tokio::time::sleep(SETTLE).await;
    let idle = node.usage()?;
    let paced = paced((&mut crowd, &node), connections, messages).await?;
    let (before_all, messages) = (node.usage()?, (TOGETHER / connections).max(1));
    let together = crowd.together(messages).await?;
    let (deliveries, used) =
        ((messages * connections) as f64, node.usage()?.cpu_seconds - before_all.cpu_seconds);
    let each = |of_all: f64| of_all / connections as f64;
    Ok(Measured {
        connections,
        connects_per_second: connections as f64 / took.as_secs_f64(),
        connect_us: each((after.cpu_seconds - before.cpu_seconds) * 1e6),
        resident_kib: each(idle.resident_kib - before.resident_kib),
        slab_kib: each(idle.slab_kib - before.slab_kib),
        paced,
        coalesced_per_second: deliveries / together.as_secs_f64(),
        coalesced_us: used * 1e6 / deliveries,
    })
}

async fn paced((crowd, node): (&mut Crowd, &Node), connections: usize, messages: usize) -> Result<Paced> {
    let mut floor = Floor::lay(connections)?;
    let (mut to_all, mut to_two, mut rounds, mut used) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    let in_turn = messages.div_ceil(TURNS);
    for _ in 0..TURNS {
        let before = node.usage()?;
        to_all.extend(crowd.one_by_one(in_turn, Readers::Everybody).await?);
        used += node.usage()?.cpu_seconds - before.cpu_seconds;
        to_two.extend(crowd.one_by_one(in_turn, Readers::Two).await?);
        for _ in 0..in_turn {
            rounds.push(floor.round()?);
        }
    }
    let cpu: Duration = rounds.iter().map(|round| round.cpu).sum();
    Ok(Paced {
        paced_us: used * 1e6 / (in_turn * TURNS * connections) as f64,
        send_us: cpu.as_secs_f64() * 1e6 / (rounds.len() * connections) as f64,
        to_all_ms: median_ms(to_all),
        to_two_ms: median_ms(to_two),
        send_to_all_ms: median_ms(rounds.iter().map(|round| round.took).collect()),
    })
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |middle| middle.as_secs_f64() * 1e3)
}

fn size(name: &str) -> Option<usize> {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).filter(|size| *size > 0)
}

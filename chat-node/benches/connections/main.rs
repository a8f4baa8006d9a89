//! What clients cost a stand-alone node: memory while they are idle, CPU time per delivery, and time to let them in. The node
//! is a process of its own on the first core, its clients are in this one on the last.
//!
//! `cargo bench --workspace --bench connections`; `VT_BENCH_CONNECTIONS` (2,000) and `VT_BENCH_MESSAGES` (50) change the
//! size. Each user has five channels. The floor is a bare loop of `send()` over as many sockets, measured in the same
//! run, as the machine's speed changes. The kernel's memory is that of the whole machine.
#![allow(missing_docs)]

mod crowd;
mod floor;
mod node;

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::crowd::Crowd;
use crate::node::{Node, Usage};

/// Bytes of a message's text.
const CONTENT: usize = 200;

fn main() -> Result<()> {
    let (connections, messages) = (size("VT_BENCH_CONNECTIONS", 2_000), size("VT_BENCH_MESSAGES", 50));
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    node::pin_to_last_core()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(connections, messages))
}

async fn run(connections: usize, messages: usize) -> Result<()> {
    let node = Node::start()?;
    let tokens = crowd::introduce(&node.address, connections).await?;
    let before = node.usage()?;
    let began = Instant::now();
    let mut crowd = Crowd::connect(&node.address, &tokens).await?;
    let took = began.elapsed();
    let after = node.usage()?;
    report_storm(connections, took, (before, after));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle = node.usage()?;
    let each = |kib: f64| kib / connections as f64;
    println!(
        "idle, signed in, five channels: {:.2} KiB resident and {:.2} KiB kernel slab each",
        each(idle.resident_kib - before.resident_kib),
        each(idle.slab_kib - before.slab_kib)
    );
    let paced = crowd.paced(messages, &node).await?;
    let floor = floor::send_to_each(connections, messages)?;
    println!(
        "paced: {paced:.2} µs of CPU a delivery; a bare loop of send(): {floor:.2} µs; {:.2} times that",
        paced / floor
    );
    crowd.together(messages * 4, &node).await
}

fn report_storm(connections: usize, took: Duration, (before, after): (Usage, Usage)) {
    let cpu = (after.cpu_seconds - before.cpu_seconds) * 1e6 / connections as f64;
    let rate = connections as f64 / took.as_secs_f64();
    println!("{connections} connections signed in: {rate:.0}/s, {cpu:.0} µs of CPU each");
}

fn size(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

//! What RabbitMQ takes and gives under the chat nodes' own bus, for each type of their queues and each routing.
//!
//! `VT_TEST_RABBITMQ_URI=amqp://… cargo bench --workspace --bench broker`; `cargo e2e bench broker` starts the brokers too.
//! Instead of the address `VT_TEST_RABBITMQ_CLUSTER` may name several, separated by commas, of one cluster.
//! `VT_TEST_RABBITMQ_MANAGEMENT`, with the login in it, tells which processes they are, whose time is counted if they run on
//! this machine; `VT_TEST_RABBITMQ_FAULT` is called with `kill` and `start` and the number of a node, if there are three.
//! The results are one JSON document on standard output.
#![allow(missing_docs)]

mod binding;
mod brokers;
mod cell;
mod cpu;
mod deletion;
mod flood;
mod kill;
mod node;
mod pace;
mod speech;
mod town;
mod way;

#[path = "../../tests/support/broker.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "what the tests of the bus use")]
mod broker;
#[path = "../../tests/support/conformance.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "what the tests of the bus use")]
mod conformance;

use std::time::Duration;

use anyhow::{Context, Result};
use crds::{QueueType, RoutingMode};
use tokio::time::timeout;

use crate::brokers::Brokers;
use crate::cell::{Cell, Study};

const QUEUES: [QueueType; 2] = [QueueType::Classic, QueueType::Quorum];
const ROUTINGS: [RoutingMode; 3] = [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static];
/// One cell takes less than a minute; a broker that hangs must not hold up the rest for ever.
const CELL_WITHIN: Duration = Duration::from_secs(240);
const TRIES: usize = 2;

#[tokio::main]
async fn main() -> Result<()> {
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(brokers) = Brokers::named()? else { return Ok(()) };
    brokers.until_whole(&[]).await?;
    let mut cells = Vec::new();
    for queue in QUEUES {
        for routing in ROUTINGS {
            cells.push(cell(&brokers, queue, routing).await?);
        }
    }
    let study = Study { brokers: brokers.count(), version: brokers.version().await, cells };
    println!("{}", serde_json::to_string(&study)?);
    Ok(())
}

/// One cell; on a machine that others use it may take more than one try.
async fn cell(brokers: &Brokers, queue: QueueType, routing: RoutingMode) -> Result<Cell> {
    let what = format!("{} brokers, {queue:?}, {routing:?}", brokers.count());
    for _ in 1..TRIES {
        match try_cell(brokers, queue, routing).await {
            Ok(cell) => return Ok(cell),
            Err(error) => eprintln!("{what}, once more: {error:#}"),
        }
    }
    try_cell(brokers, queue, routing).await.context(what)
}

async fn try_cell(brokers: &Brokers, queue: QueueType, routing: RoutingMode) -> Result<Cell> {
    let measured = timeout(CELL_WITHIN, Cell::measure(brokers, queue, routing)).await;
    let cell = measured.context("not done in time")??;
    eprintln!("{} brokers, {queue:?}, {routing:?}: {}", brokers.count(), serde_json::to_string(&cell)?);
    Ok(cell)
}

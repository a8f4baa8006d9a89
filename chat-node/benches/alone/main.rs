//! How long store and broker take each for themselves with what chat nodes ask of them for messages in direct channels: the
//! append to the log, and the way from one node's bus to another one's. The rate is moderate, and times count from when a
//! message was due.
//!
//! `VIBETALK_TEST_MONGODB_URI=mongodb://… VT_TEST_RABBITMQ_URI=amqp://… cargo bench --workspace --bench alone`; what is not
//! named is left out. `VT_BENCH_SECONDS` (30), `VT_BENCH_PER_SECOND` (200) and `VT_BENCH_CHANNELS` (100) change the load. The
//! results are one JSON document on standard output; `cargo e2e bench two-nodes` compares them with the way of messages from
//! client to client.
#![allow(missing_docs)]

mod bus;
mod log;
mod pace;
mod times;

#[path = "../../tests/support/broker.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "what the tests of the bus use")]
mod broker;
#[path = "../broker/brokers.rs"]
#[allow(dead_code, reason = "what the bench of the broker uses")]
mod brokers;
#[path = "../../tests/support/conformance.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "what the tests of the bus use")]
mod conformance;
#[path = "../broker/node.rs"]
#[allow(dead_code, reason = "what the bench of the broker uses")]
mod node;

use anyhow::Result;
use serde::Serialize;

use crate::brokers::Brokers;
use crate::pace::Pace;
use crate::times::Times;

/// The results; absent is what was left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    store: Option<Times>,
    broker: Option<Times>,
}

#[tokio::main]
async fn main() -> Result<()> {
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pace = Pace::named();
    let store = match std::env::var("VIBETALK_TEST_MONGODB_URI") {
        Ok(uri) => Some(log::measure(&uri, pace).await?),
        Err(_) => {
            eprintln!("left out: the store, set VIBETALK_TEST_MONGODB_URI");
            None
        }
    };
    let broker = match Brokers::named()? {
        Some(brokers) => Some(bus::measure(&brokers, pace).await?),
        None => None,
    };
    println!("{}", serde_json::to_string(&Measured { store, broker })?);
    Ok(())
}

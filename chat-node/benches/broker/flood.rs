//! As much as one chat node gets through to the brokers: it publishes more whenever enough is confirmed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::time::timeout;

use crate::cpu::Idle;
use crate::town::{Kind, Town};

const LENGTH: Duration = Duration::from_secs(2);
/// Bytes that wait for their confirms: more publishes than the bus lets wait for the broker, fewer than it drops.
const BACKLOG: i64 = 2 * 1024 * 1024;
/// Until there is room again.
const LOOK: Duration = Duration::from_micros(100);
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// Nothing more comes if nothing has come for so long.
const QUIET: Duration = Duration::from_millis(300);
/// No other message has the numbers from here on.
const FIRST: u64 = 1 << 40;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flood {
    /// Messages a second that were confirmed.
    most_per_second: f64,
    /// The brokers' CPU time for each message, in µs, without what they use idle; absent if they run elsewhere.
    most_broker_us: Option<f64>,
}

pub async fn measure(town: &Arc<Town>, kind: Kind, idle: &Idle) -> Result<Flood> {
    let connections = town.nodes[0].connected().len();
    let before = idle.read();
    let begun = Instant::now();
    let shared = Arc::clone(town);
    let said = tokio::task::spawn_blocking(move || pour(&shared, kind)).await?;
    let drained = async {
        while backlog(town) > 0 {
            tokio::time::sleep(LOOK * 10).await;
        }
    };
    timeout(DRAINED_WITHIN, drained).await.context("confirms do not come")?;
    let took = begun.elapsed();
    // What a node publishes while it has no connection is not counted by anybody.
    ensure!(town.nodes[0].connected().len() == connections, "the node has lost its connection to the broker");
    timeout(DRAINED_WITHIN, quiet(town)).await.context("deliveries do not end")?;
    Ok(Flood {
        most_per_second: said as f64 / took.as_secs_f64(),
        most_broker_us: before.micros_each(said as usize),
    })
}

/// Publishes for a while; how many messages.
fn pour(town: &Town, kind: Kind) -> u64 {
    let begun = Instant::now();
    let mut said = 0;
    while begun.elapsed() < LENGTH {
        if backlog(town) < BACKLOG {
            town.say(0, (kind, FIRST + said));
            said += 1;
        } else {
            std::thread::sleep(LOOK);
        }
    }
    said
}

/// Bytes that are not confirmed yet.
fn backlog(town: &Town) -> i64 {
    town.nodes[0].metrics.publish_queue_bytes.get()
}

/// Waits until nothing comes any more, and forgets what has come.
async fn quiet(town: &Town) {
    let count = || town.nodes.iter().map(|node| node.heard().len()).sum::<usize>();
    let mut before = None;
    while before != Some(count()) {
        before = Some(count());
        tokio::time::sleep(QUIET).await;
    }
    town.nodes.iter().for_each(|node| node.heard().clear());
}

//! Messages on an open schedule: how long they take, how often they are copied, and what they cost the brokers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::cpu::Idle;
use crate::speech::{Fate, Script, Speech};
use crate::town::{Kind, Town};

/// Messages a second, of all nodes together.
const RATE: u32 = 200;
const LENGTH: Duration = Duration::from_secs(5);
/// How long the last of them may be on its way.
const ARRIVED_WITHIN: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Paced {
    /// From when a message was due until a node had it, in ms.
    p50_ms: f64,
    p99_ms: f64,
    /// Deliveries to the nodes' queues for each message.
    copies: f64,
    /// The brokers' CPU time for each message, in µs, without what they use idle; absent if they run elsewhere.
    broker_us: Option<f64>,
    /// Deliveries that did not come.
    missed: usize,
}

pub async fn measure(town: &Arc<Town>, kind: Kind, idle: &Idle) -> Result<Paced> {
    let script = Script {
        kind,
        every: Duration::from_secs(1) / RATE,
        most: (RATE * LENGTH.as_secs() as u32) as usize,
    };
    let before = idle.read();
    let (speech, said) = Speech::begin(town, script, CancellationToken::new());
    let said = said.await?;
    let fates = arrived(town, &speech, said).await;
    let delays = delays(&fates);
    ensure!(!delays.is_empty(), "of {said} messages none came");
    Ok(Paced {
        p50_ms: quantile(&delays, 0.5),
        p99_ms: quantile(&delays, 0.99),
        copies: speech.copies(town) as f64 / said as f64,
        broker_us: before.micros_each(said),
        missed: fates.len() - delays.len(),
    })
}

/// Waits until everything has come, or long enough; what became of it.
pub async fn arrived(town: &Town, speech: &Speech, said: usize) -> Vec<Fate> {
    let begun = Instant::now();
    loop {
        let fates = speech.fates(town, said);
        if begun.elapsed() > ARRIVED_WITHIN || fates.iter().all(|fate| fate.after.is_some()) {
            return fates;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// In ms, in their order.
fn delays(fates: &[Fate]) -> Vec<f64> {
    let mut delays: Vec<f64> =
        fates.iter().filter_map(|fate| Some(fate.after?.as_secs_f64() * 1e3)).collect();
    delays.sort_by(f64::total_cmp);
    delays
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() as f64 * part) as usize).min(sorted.len() - 1)]
}

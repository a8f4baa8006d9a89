//! How long a queue with many bindings takes to be deleted, and whom that holds up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::binding::Orphan;
use crate::brokers::Brokers;
use crate::pace::arrived;
use crate::speech::{Fate, Script, Speech};
use crate::town::{Kind, Town};

const SCRIPT: Script = Script { kind: Kind::Direct, every: Duration::from_millis(5), most: 20_000 };
/// Before and after it.
const AROUND: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    bindings: usize,
    took_ms: f64,
    /// The longest way of a message in the second before, in ms.
    before_ms: f64,
    /// The longest way of a message that was under way meanwhile, in ms.
    longest_ms: f64,
    /// Deliveries that did not come.
    missed: usize,
}

/// Deletes the queue while others talk.
pub async fn measure(brokers: &Brokers, town: &Arc<Town>, orphan: Orphan) -> Result<Deletion> {
    let stop = CancellationToken::new();
    let ends = stop.clone().drop_guard();
    let (speech, said) = Speech::begin(town, SCRIPT, stop);
    tokio::time::sleep(AROUND).await;
    let (begun, ended) = brokers.delete_queue(&orphan.queue).await?;
    tokio::time::sleep(AROUND).await;
    drop(ends);
    let fates = arrived(town, &speech, said.await?).await;
    Ok(Deletion {
        bindings: orphan.bindings,
        took_ms: millis(ended - begun),
        before_ms: longest(&fates, |due, arrival| due + AROUND > begun && arrival < begun),
        longest_ms: longest(&fates, |due, arrival| due < ended && arrival >= begun),
        missed: fates.iter().filter(|fate| fate.after.is_none()).count(),
    })
}

/// The longest way of those whose beginning and end are so.
fn longest(fates: &[Fate], is_so: impl Fn(Instant, Instant) -> bool) -> f64 {
    let ways = fates.iter().filter_map(|fate| Some((fate.due, fate.after?)));
    let those = ways.filter(|(due, after)| is_so(*due, *due + *after));
    those.map(|(_, after)| millis(after)).fold(0.0, f64::max)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

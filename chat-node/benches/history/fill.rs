//! Fills a store, as fast as it takes messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chat_node::protocol::message::Entry;
use chat_node::store::{Inserted, Store};
use futures::stream::{self, StreamExt};

use crate::archive::{Archive, Channel};

/// Messages of one insert.
const BATCH: u64 = 500;
const INSERTS_AT_ONCE: usize = 8;
/// Between two lines that say how far it is.
const SAY: Duration = Duration::from_secs(5);

pub async fn fill(store: &Arc<dyn Store>, archive: Archive, name: &str) -> Result<()> {
    let (began, all) = (Instant::now(), archive.messages());
    let inserts = stream::iter(batches(archive)).map(|batch| insert(store, batch));
    let mut inserts = inserts.buffer_unordered(INSERTS_AT_ONCE);
    let (mut stored, mut said) = (0, began);
    while let Some(count) = inserts.next().await {
        stored += count?;
        if said.elapsed() >= SAY || stored == all {
            said = Instant::now();
            let rate = stored as f64 / began.elapsed().as_secs_f64();
            eprintln!("{name}: {stored} of {all} messages, {rate:.0}/s");
        }
    }
    Ok(())
}

/// The channels take turns, so that their messages do not lie side by side on disk.
fn batches(archive: Archive) -> Vec<(Channel, u64)> {
    let of_channel =
        |channel: Channel| (0..channel.messages.div_ceil(BATCH)).map(move |n| (channel, n * BATCH));
    let mut batches: Vec<_> = archive.channels().flat_map(of_channel).collect();
    batches.sort_by_key(|(_, first)| *first);
    batches
}

async fn insert(store: &Arc<dyn Store>, (channel, first): (Channel, u64)) -> Result<u64> {
    let numbers = first..channel.messages.min(first + BATCH);
    let count = numbers.end - numbers.start;
    let entries: Result<Vec<_>> = numbers.map(|number| channel.message(number).map(Entry::Message)).collect();
    let outcomes = store.insert(&entries?).await?;
    ensure!(outcomes.iter().all(|outcome| *outcome == Inserted::New), "a message was not stored");
    Ok(count)
}

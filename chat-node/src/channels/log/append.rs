//! Appending: one batch of a channel after the other, each in rounds of reserve and insert.

use tracing::warn;

use super::batch::{Batch, Placed, Round};
use super::queue::Waiting;
use super::{AppendError, Appended, Draft, Log};
use crate::ids::lease::IdError;
use crate::ids::{ChannelId, Position};
use crate::protocol::message::Entry;
use crate::store::{Inserted, StoreError};

/// How often drafts whose position was taken get another one. A reader seals only after a while, so that even
/// two rounds are rare.
const ROUNDS: usize = 8;

/// Appends until the channel's queue is empty.
pub(super) async fn drain(log: Log, channel: ChannelId) {
    let mut guard = Abandon { log: &log, channel, armed: true };
    loop {
        let mut callers = log.queues().next(channel);
        if callers.is_empty() {
            guard.armed = false;
            return;
        }
        let counts: Vec<_> = callers.iter().map(|caller| caller.drafts.len()).collect();
        let drafts = callers.iter_mut().flat_map(|caller| std::mem::take(&mut caller.drafts)).collect();
        let done = append(&log, channel, drafts).await;
        answer(callers.into_iter().zip(counts), done);
    }
}

/// Lets those who wait go, should the task break off.
struct Abandon<'a> {
    log: &'a Log,
    channel: ChannelId,
    armed: bool,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.log.queues().abandon(self.channel);
        }
    }
}

/// What became of the drafts of one batch, in their order; `error` tells of those without result.
struct Done {
    results: Vec<Option<Result<Appended, AppendError>>>,
    error: AppendError,
}

fn answer(callers: impl Iterator<Item = (Waiting, usize)>, done: Done) {
    let mut results = done.results.into_iter();
    for (caller, count) in callers {
        let own: Vec<_> = results.by_ref().take(count).collect();
        let own = own.into_iter().map(|result| result.unwrap_or_else(|| Err(done.error.clone())));
        // A caller that no longer waits asks again with the same nonce if it wants to know.
        let _ = caller.answer.send(own.collect());
    }
}

async fn append(log: &Log, channel: ChannelId, drafts: Vec<Draft>) -> Done {
    let mut batch = Batch::new(channel, drafts);
    for _ in 0..ROUNDS {
        if batch.left() == 0 {
            break;
        }
        if let Err(error) = round(log, channel, &mut batch).await {
            return Done { results: batch.finish(), error };
        }
    }
    let error = StoreError::Unavailable(format!("its positions were taken {ROUNDS} times in a row"));
    Done { results: batch.finish(), error: error.into() }
}

/// Reserves positions for the drafts that are left, and stores those there that may be.
async fn round(log: &Log, channel: ChannelId, batch: &mut Batch) -> Result<(), AppendError> {
    let (store, ids, wanted) = (&log.0.store, &log.0.ids, batch.wanted());
    let reserved = store.reserve(channel, wanted, ids.now_ms()?).await?;
    let ids = match ids.message_ids(reserved, wanted.count).await {
        Ok(ids) => ids,
        Err(error) => {
            let positions = (reserved.first.0..).take(wanted.count.into()).map(Position);
            observe(log, fill(log, channel, positions.collect()).await);
            return if matches!(error, IdError::Unusable(_)) { Ok(()) } else { Err(error.into()) };
        }
    };
    let outdated = batch.outdated(reserved.access);
    let verdicts = match outdated.is_empty() {
        true => Vec::new(),
        false => log.0.guard.check(channel, &outdated, reserved.access).await,
    };
    let Placed { entries, refused } = batch.place(reserved, &ids, verdicts);
    let outcomes = match entries.is_empty() {
        true => Vec::new(),
        false => store.insert(&entries).await?,
    };
    let Round { mut stored, mut open } = batch.settle(entries, outcomes);
    open.extend(refused);
    stored.extend(fill(log, channel, open).await);
    observe(log, stored);
    Ok(())
}

/// Puts voids where reserved positions stay open; those that were stored. If it fails, readers will seal.
async fn fill(log: &Log, channel: ChannelId, open: Vec<Position>) -> Vec<Entry> {
    if open.is_empty() {
        return Vec::new();
    }
    let void = |position| Entry::Void { channel_id: channel, position };
    let voids: Vec<_> = open.into_iter().map(void).collect();
    match log.0.store.insert(&voids).await {
        Ok(outcomes) => {
            let stored = voids.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == Inserted::New);
            stored.map(|(void, _)| void).collect()
        }
        Err(error) => {
            warn!(%channel, %error, "reserved positions stay open until a reader seals them");
            Vec::new()
        }
    }
}

fn observe(log: &Log, mut stored: Vec<Entry>) {
    if !stored.is_empty() {
        stored.sort_by_key(Entry::position);
        log.0.guard.stored(stored);
    }
}

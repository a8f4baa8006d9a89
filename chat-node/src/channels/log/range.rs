//! Reading, and sealing the holes that dead writers left.

use std::time::Duration;

use tokio::time::sleep;
use tracing::info;

use super::RANGE_LIMIT;
use crate::ids::{ChannelId, Position};
use crate::protocol::message::Entry;
use crate::store::{Store, StoreError};

/// How long a hole may still be filled by its writer at least before a reader seals it; at most twice as long.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often the log is read again until what was sealed shows.
const ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

pub(super) async fn read(
    store: &dyn Store,
    channel: ChannelId,
    after: Position,
    limit: u16,
) -> Result<Vec<Entry>, StoreError> {
    let entries = store.entries_after(channel, after, limit).await?;
    if holes(after, &entries, limit).is_empty() {
        return Ok(entries);
    }
    // What is below the floor has been removed: there is nothing to wait for, and nothing to seal.
    let floor = store.channel(channel).await?.map_or(Position(0), |channel| channel.floor);
    let after = after.max(floor);
    if holes(after, &entries, limit).is_empty() {
        return Ok(entries);
    }
    // Nodes that miss the same entry ask at the same time: the first to seal spares the others from doing it.
    sleep(PATIENCE.mul_f64(1.0 + fastrand::f64())).await;
    for attempt in 1..=ATTEMPTS {
        let mut entries = store.entries_after(channel, after, limit).await?;
        let holes = holes(after, &entries, limit);
        if holes.is_empty() {
            entries.truncate(limit.into());
            return Ok(entries);
        }
        seal(store, channel, &holes).await?;
        // What another sealer or the late writer has stored may not be confirmed by a majority yet.
        sleep(BETWEEN_ATTEMPTS * (attempt - 1)).await;
    }
    Err(StoreError::Unavailable("what was stored at open positions does not show yet".to_owned()))
}

/// Seals what is open up to a position that is known to be reserved, although nothing may follow it. Nothing is sealed below
/// the floor, where entries have been removed.
pub(super) async fn seal_open(
    store: &dyn Store,
    channel: ChannelId,
    (after, until): (Position, Position),
) -> Result<(), StoreError> {
    let entries = store.entries_after(channel, after, RANGE_LIMIT).await?;
    let floor = store.channel(channel).await?.map_or(until, |channel| channel.floor);
    let end = until.min(Position(after.0.saturating_add(RANGE_LIMIT.into())));
    let open: Vec<_> = open(after, &entries, end).into_iter().filter(|position| *position > floor).collect();
    if open.is_empty() { Ok(()) } else { seal(store, channel, &open).await }
}

/// Puts voids at `holes`. Whoever is first at a position wins, and either way it is open no more.
async fn seal(store: &dyn Store, channel: ChannelId, holes: &[Position]) -> Result<(), StoreError> {
    let void = |position: &Position| Entry::Void { channel_id: channel, position: *position };
    let voids: Vec<_> = holes.iter().map(void).collect();
    info!(%channel, first = %holes[0], count = holes.len(), "sealing positions that their writer left open");
    store.insert(&voids).await?;
    Ok(())
}

/// The positions without entry among the first `limit` after `after`, up to the last entry.
fn holes(after: Position, entries: &[Entry], limit: u16) -> Vec<Position> {
    let Some(last) = entries.last() else { return Vec::new() };
    open(after, entries, last.position().min(Position(after.0.saturating_add(limit.into()))))
}

/// The positions without entry after `after` up to `until`.
fn open(after: Position, entries: &[Entry], until: Position) -> Vec<Position> {
    let mut present = entries.iter().map(|entry| entry.position().0).peekable();
    (after.0 + 1..=until.0).filter(|position| present.next_if_eq(position).is_none()).map(Position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(positions: &[u64]) -> Vec<Entry> {
        let void = |n: &u64| Entry::Void { channel_id: ChannelId(1), position: Position(*n) };
        positions.iter().map(void).collect()
    }

    fn holes_in(after: u64, positions: &[u64], limit: u16) -> Vec<u64> {
        holes(Position(after), &entries(positions), limit).iter().map(|position| position.0).collect()
    }

    #[test]
    fn holes_lie_before_the_last_entry() {
        assert!(holes_in(0, &[], 10).is_empty());
        assert!(holes_in(0, &[1, 2, 3], 10).is_empty());
        assert_eq!(holes_in(0, &[3, 4], 10), [1, 2]);
        assert_eq!(holes_in(5, &[6, 8, 11], 10), [7, 9, 10]);
    }

    #[test]
    fn only_holes_that_the_answer_would_show_are_sealed() {
        assert_eq!(holes_in(0, &[1, 1_000_000], 3), [2, 3]);
    }
}

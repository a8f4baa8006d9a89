//! Changes show on their messages: whoever stores a change folds it in. A node that dies in between leaves it unfolded;
//! the next one that opens or reads the channel finds it behind the channel's mark, folds it and moves the mark on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Channels;
use super::send::now;
use crate::ids::{ChannelId, Position};
use crate::protocol::message::{ChangeEntry, Entry};
use crate::store::{Channel, StoreError};

/// Changes per read.
const PER_READ: u16 = 500;
/// How often folding is tried; then it is left to the next reader.
const ATTEMPTS: u32 = 5;
/// Before the first repetition; twice as long before each further one.
const BACKOFF: Duration = Duration::from_millis(200);
/// How far the mark may stay behind before it is moved although there is nothing to fold.
const BEHIND: u64 = 500;
/// The most channels whose repair is remembered.
const REMEMBERED: usize = 16_384;
/// How long it is remembered: a writer that died then may have left a change that came late.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// How far this node has seen channels repaired.
#[derive(Debug, Default)]
pub(super) struct Repaired(Mutex<HashMap<ChannelId, (Position, Instant)>>);

impl Repaired {
    fn until(&self, channel: ChannelId) -> Position {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.get(&channel).filter(|(_, at)| now().duration_since(*at) < REMEMBERED_FOR);
        fresh.map_or(Position(0), |(position, _)| *position)
    }

    fn note(&self, channel: ChannelId, position: Position) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(channel, (position, now()));
    }
}

impl Channels {
    /// Folds a change that this node has stored. What fails is tried again in the background: the change itself is
    /// safe.
    pub(super) async fn fold(&self, change: &ChangeEntry) {
        let Err(error) = self.store.fold(change).await else { return };
        tracing::debug!(channel = %change.channel_id, %error, "a change could not be folded; trying again");
        let (store, change) = (Arc::clone(&self.store), change.clone());
        tokio::spawn(async move {
            for attempt in 0..ATTEMPTS {
                tokio::time::sleep(BACKOFF * 2_u32.pow(attempt)).await;
                if store.fold(&change).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Repairs a channel in the background, if among all its entries after the mark there is something to fold, or if
    /// the mark is far behind.
    pub(super) fn repair_if_needed(self: &Arc<Self>, channel: &Channel, entries: &[Entry]) {
        let has_changes = entries.iter().any(|entry| matches!(entry, Entry::Change(_)));
        if !has_changes && channel.head.0.saturating_sub(channel.folded.0) <= BEHIND {
            return;
        }
        let (channels, channel) = (Arc::clone(self), channel.clone());
        tokio::spawn(async move {
            if let Err(error) = channels.repair(&channel).await {
                // Who reads the channel next tries again.
                tracing::debug!(channel = %channel.id, %error, "changes could not be folded");
            }
        });
    }

    /// Folds what a crash has left unfolded in a channel; `true`: there was something to look at, so what was read of
    /// the channel before may be old.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn repair(&self, channel: &Channel) -> Result<bool, StoreError> {
        let begin = channel.folded.max(channel.floor).max(self.repaired.until(channel.id));
        if begin >= channel.head {
            return Ok(false);
        }
        let found = !self.store.changes_after(channel.id, begin, 1).await?.is_empty();
        if found || channel.head.0 - channel.folded.0 > BEHIND {
            // A position that is still open may become a change, so the mark stays before it; and what has become one
            // meanwhile is read after that.
            let settled = self.settled(channel).await?;
            self.fold_between(channel.id, (begin, settled)).await?;
            self.store.set_folded(channel.id, settled).await?;
        }
        self.repaired.note(channel.id, channel.head);
        Ok(found)
    }

    async fn fold_between(
        &self,
        channel: ChannelId,
        (mut after, until): (Position, Position),
    ) -> Result<(), StoreError> {
        while after < until {
            let changes = self.store.changes_after(channel, after, PER_READ).await?;
            for change in &changes {
                self.store.fold(change).await?;
                after = change.position;
            }
            if changes.len() < PER_READ.into() {
                return Ok(());
            }
        }
        Ok(())
    }
}

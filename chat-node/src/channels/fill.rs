//! Gaps: what did not come over the bus is read from the log.

use std::sync::Arc;
use std::time::Duration;

use super::Channels;
use crate::hub::gate::Missing;
use crate::hub::room::Room;
use crate::ids::Position;
use crate::protocol::message::{ChangeEntry, Entry};
use crate::store::StoreError;

/// Gaps that are filled at once; more wait.
pub(super) const AT_ONCE: usize = 32;
/// How long what is missing may still come by itself: envelopes of two nodes overtake each other.
const GRACE: Duration = Duration::from_millis(40);
/// Entries per read.
const PER_READ: u16 = 200;
/// How often the log is asked in vain before the next comparison of heads has to begin anew.
const ATTEMPTS: u32 = 6;

impl Channels {
    /// Fills a room's gap in the background.
    pub(super) fn fill_soon(self: &Arc<Self>, room: &Arc<Room>) {
        let (channels, room) = (Arc::clone(self), Arc::clone(room));
        tokio::spawn(async move {
            let _turn = channels.fills.acquire().await;
            channels.fill(&room).await;
        });
    }

    async fn fill(self: &Arc<Self>, room: &Arc<Room>) {
        let (mut in_vain, mut answered) = (0, true);
        let mut seen_at = None;
        while let Some(missing) = room.missing_or_done() {
            if seen_at != Some(missing.after) {
                // Something came by itself since the last look, or this is the first one.
                seen_at = Some(missing.after);
                tokio::time::sleep(GRACE).await;
                continue;
            }
            match self.read_into(room, missing.after).await {
                Ok(read) if read > 0 => in_vain = 0,
                Ok(_) => in_vain += 1,
                Err(error) => {
                    tracing::debug!(channel = %room.id, %error, "a gap could not be read");
                    (in_vain, answered) = (in_vain + 1, false);
                }
            }
            if in_vain >= ATTEMPTS {
                return self.give_up(room, answered.then_some(missing)).await;
            }
            tokio::time::sleep(GRACE * in_vain * in_vain).await;
        }
    }

    /// Gives up until heads are compared again. Who finds the same positions open for the second time takes their writer
    /// for dead: nothing follows that would make a reader seal them, and they would be looked for as long as the room is
    /// open.
    async fn give_up(&self, room: &Room, open: Option<Missing>) {
        let Some(Missing { after, until }) = room.give_up_filling(open) else { return };
        if let Err(error) = self.log.seal(room.id, after, until).await {
            tracing::debug!(channel = %room.id, %error, "open positions could not be sealed");
        }
    }

    /// Reads what the log has after a position into the room, now; gives how many entries that were.
    pub(super) async fn read_into(
        self: &Arc<Self>,
        room: &Arc<Room>,
        after: Position,
    ) -> Result<usize, StoreError> {
        let entries = self.log.range(room.id, after, PER_READ).await?;
        let (read, changes) = (entries.len(), changes(&entries));
        let mut filled = 0;
        for entry in entries {
            self.seen(&entry);
            let passed = room.receive(entry);
            filled += passed.entries;
            self.passed(room, passed);
        }
        self.metrics.gaps_filled.inc_by(filled as u64);
        for change in &changes {
            // Whoever stored it may be dead.
            self.fold(change).await;
        }
        Ok(read)
    }
}

fn changes(entries: &[Entry]) -> Vec<ChangeEntry> {
    let change = |entry: &Entry| match entry {
        Entry::Change(change) => Some(change.clone()),
        Entry::Message(_) | Entry::Void { .. } => None,
    };
    entries.iter().filter_map(change).collect()
}

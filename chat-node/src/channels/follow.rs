//! Following: what a client has missed, from the log, then what happens, from the room, without a seam: a connection
//! joins the room only at the very position up to which it was read to.

use std::sync::Arc;
use std::time::Duration;

use super::Channels;
pub use crate::hub::room::Follower;
use crate::hub::room::{Join, Room};
use crate::ids::{AccessVersion, ChannelId, Position};
use crate::protocol::codec;
use crate::store::StoreError;

/// Entries per read.
const PER_READ: u16 = 200;
/// How often joining is tried before the client has to come back; only a channel that races away needs more.
const ATTEMPTS: usize = 1_000;

/// Between two looks at a room whose followers are being checked.
const WHILE_CHECKING: Duration = Duration::from_millis(10);

/// What came of reading stored entries for a follower.
enum Replayed {
    /// They are queued up to here.
    Until(Position),
    /// None is queued: some were stored under this access version, which is newer than what the follower was checked
    /// under.
    Outdated(AccessVersion),
}

impl Channels {
    /// Queues for a connection all that comes after a position: stored entries first, then live ones. If its user may
    /// not read the channel, or no more, the connection is told so instead.
    ///
    /// # Errors
    /// [`StoreError`]; the connection may have got a part.
    pub async fn follow(
        self: &Arc<Self>,
        follower: &Follower,
        channel: ChannelId,
        after: Position,
    ) -> Result<(), StoreError> {
        let (mut after, mut access) = (after, AccessVersion(0));
        for _ in 0..ATTEMPTS {
            let Some(standing) = self.standing(&follower.user, channel, access).await? else {
                self.hub.connections.withdraw_from(follower.connection, channel);
                return Ok(());
            };
            let checked = standing.checked;
            let room = match self.open_by_id(channel).await {
                Ok(room) => room,
                Err(StoreError::Refused(_)) => {
                    // It has been deleted just now.
                    self.hub.connections.withdraw_from(follower.connection, channel);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            match room.join(follower, after, checked) {
                Join::Joined => return Ok(()),
                Join::Closed => {}
                Join::Outdated(version) => access = version,
                Join::Behind(_) => match self.replay(follower, (channel, after), checked).await? {
                    Replayed::Until(position) => after = position,
                    Replayed::Outdated(version) => access = version,
                },
                Join::Ahead => after = after.min(self.catch_up(&room).await?),
            }
        }
        Err(StoreError::Unavailable("the channel grows faster than it can be read".to_owned()))
    }

    /// Queues one read's worth of entries, if all of them may be read.
    async fn replay(
        &self,
        follower: &Follower,
        (channel, after): (ChannelId, Position),
        checked: AccessVersion,
    ) -> Result<Replayed, StoreError> {
        let entries = self.log.range(channel, after, PER_READ).await?;
        if let Some(newer) =
            entries.iter().map(|entry| entry.access()).max().filter(|newest| *newest > checked)
        {
            return Ok(Replayed::Outdated(newer));
        }
        let mut last = after;
        for entry in &entries {
            follower.queue.push_when_there_is_room(&codec::encode_entry(entry)).await;
            last = entry.position();
        }
        self.metrics.delivered.inc_by(entries.len() as u64);
        if entries.is_empty() {
            // Only a lagging replica of the store shows less than the room has had.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Replayed::Until(last))
    }

    /// Brings a room up to what the store has now; gives its last position. What waits there until followers are checked
    /// is waited for a while.
    pub(super) async fn catch_up(self: &Arc<Self>, room: &Arc<Room>) -> Result<Position, StoreError> {
        for _ in 0..ATTEMPTS {
            let before = room.last();
            if self.read_into(room, before).await? == 0 {
                break;
            }
            if room.last() == before {
                tokio::time::sleep(WHILE_CHECKING).await;
            }
        }
        Ok(room.last())
    }
}

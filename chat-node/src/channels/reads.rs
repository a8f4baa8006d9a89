//! How far users have read, and how many messages they have not.

use super::{Channels, problem_of};
use crate::bus::{Audience, Envelope, Notice};
#[cfg(doc)]
use crate::error::ErrorCode;
use crate::error::Problem;
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::frame::UNREAD_MAX;
use crate::store::StoreError;

/// How far a user has read a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct ReadState {
    /// Up to here.
    pub position: Position,
    /// Messages after that, counted up to [`UNREAD_MAX`].
    pub unread: u8,
}

impl Channels {
    /// Notes that `user` has read a channel up to a position, and tells the user's connections. The position never
    /// falls, and one beyond the channel's end counts as the end.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Unavailable`].
    pub async fn mark_read(
        &self,
        user: &UserId,
        channel: ChannelId,
        position: Position,
    ) -> Result<ReadState, Problem> {
        let (_, row) = self.permit_reading(user, channel).await?;
        let noting = async {
            let position = self.store.set_read(user, channel, position.min(row.head)).await?;
            Ok(ReadState { position, unread: self.unread(channel, (position, row.last_message)).await? })
        };
        let state = noting.await.map_err(|error: StoreError| problem_of(&error))?;
        let notice = Notice::Read { user: user.clone(), channel_id: channel, position: state.position };
        self.bus.publish(&Envelope::new(notice), Audience::Users(std::slice::from_ref(user)));
        Ok(state)
    }

    /// How far `user` has read a channel.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Unavailable`].
    pub async fn read_state(&self, user: &UserId, channel: ChannelId) -> Result<ReadState, Problem> {
        let (_, row) = self.permit_reading(user, channel).await?;
        let reading = async {
            let found = self.store.reads(user, &[channel]).await?;
            let position = found.first().map_or(Position(0), |(_, position)| *position);
            Ok(ReadState { position, unread: self.unread(channel, (position, row.last_message)).await? })
        };
        reading.await.map_err(|error: StoreError| problem_of(&error))
    }

    /// How many messages a channel whose last one is `last_message` has after `read`.
    pub(super) async fn unread(
        &self,
        channel: ChannelId,
        (read, last_message): (Position, Position),
    ) -> Result<u8, StoreError> {
        if last_message <= read {
            return Ok(0);
        }
        if let Some(count) = self.hub.room(channel).and_then(|room| room.unread((read, last_message))) {
            return Ok(count);
        }
        let count = self.store.count_messages(channel, read, UNREAD_MAX.into()).await?;
        Ok(u8::try_from(count).unwrap_or(UNREAD_MAX))
    }
}

//! Entries that a client asks for, because it sees that it has missed them.

use super::{Channels, problem_of};
use crate::error::Problem;
use crate::ids::UserId;
use crate::protocol::frame::Fetch;
use crate::protocol::message::Entry;

impl Channels {
    /// The entries after a position, in order and without holes; none at the channel's end.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`](crate::error::ErrorCode::UnknownChannel), also where `user` has no part in it;
    /// [`ErrorCode::Unavailable`](crate::error::ErrorCode::Unavailable).
    pub async fn fetch(&self, user: &UserId, fetch: Fetch) -> Result<Vec<Entry>, Problem> {
        self.permit_reading(user, fetch.channel_id).await?;
        let entries = self.log.range(fetch.channel_id, fetch.after, fetch.limit).await;
        entries.map_err(|error| problem_of(&error))
    }
}

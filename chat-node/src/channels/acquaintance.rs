//! Who may know of whom whether they are here: users who share a channel that is not for everyone.

use super::{Channels, problem_of};
use crate::error::Problem;
use crate::ids::UserId;
use crate::session::Watched;
use crate::store::ChannelKind;

impl Channels {
    /// Those of `others` whom `user` may watch: who has a direct channel with them. Oneself too.
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`](crate::error::ErrorCode::Unavailable).
    pub async fn acquaintances(&self, user: &UserId, others: Watched) -> Result<Watched, Problem> {
        if others.is_empty() {
            return Ok(others);
        }
        let channels = self.store.direct_channels(user).await.map_err(|error| problem_of(&error))?;
        let users = channels.into_iter().filter_map(|channel| match channel.kind {
            ChannelKind::Direct(users) => Some(users),
            ChannelKind::Group(_) => None,
        });
        let known: Watched = users.flatten().chain([user.clone()]).collect();
        Ok(others.intersection(&known).cloned().collect())
    }
}

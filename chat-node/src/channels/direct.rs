//! Channels of two users.

use std::sync::Arc;

use super::{Channels, problem_of, shown};
use crate::bus::{Audience, Envelope, Notice};
use crate::error::{ErrorCode, Problem};
use crate::groups::Permissions;
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::frame::ChannelView;
use crate::protocol::message::User;
use crate::store::ChannelKind;

impl Channels {
    /// The channel of `user` and `recipient`, made if they have none yet; both are told of a new one.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRecipient`], [`ErrorCode::UnknownUser`], [`ErrorCode::Unavailable`].
    pub async fn open_direct(
        self: &Arc<Self>,
        user: &User,
        recipient: &UserId,
    ) -> Result<ChannelView, Problem> {
        if user.id == *recipient {
            let message = "`recipient_id` is yourself: name another user";
            return Err(Problem::new(ErrorCode::InvalidRecipient, message));
        }
        self.known_user(recipient).await?;
        let id = self.new_id().await?;
        let users = ordered(&user.id, recipient);
        let channel = self.store.open_direct(id, &users).await.map_err(|error| problem_of(&error))?;
        self.views.note_kind(channel.id, &channel.kind);
        let after = if channel.id == id {
            let opened = Envelope::new(Notice::DirectOpened { channel_id: id, users: users.clone() });
            self.bus.publish(&opened, Audience::Users(&users));
            Position(0)
        } else {
            let reached =
                async { self.reached(&self.open(&channel, channel.head).await?, channel.head).await };
            reached.await.map_err(|error| problem_of(&error))?
        };
        self.introduce_direct(channel.id, &users, after);
        Ok(shown::channel(&channel, (&user.id, Permissions::TALK), after))
    }

    /// Makes the local connections of a direct channel's users follow it from a position on, where they do not yet.
    pub(super) fn introduce_direct(&self, id: ChannelId, users: &[UserId; 2], after: Position) {
        self.views.note_kind(id, &ChannelKind::Direct(users.clone()));
        for user in users {
            self.hub.connections.introduce(user, &shown::direct(id, users, (user, after)));
        }
    }

    /// A user as everyone sees them.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownUser`] for who has never signed in, [`ErrorCode::Unavailable`].
    pub async fn known_user(&self, user: &UserId) -> Result<User, Problem> {
        let found = self.store.user(user).await.map_err(|error| problem_of(&error))?;
        found.ok_or_else(|| {
            let message = format!("there is no user `{user}`, or they have never signed in");
            Problem::new(ErrorCode::UnknownUser, message)
        })
    }

    /// An id for a new channel.
    pub(super) async fn new_id(&self) -> Result<ChannelId, Problem> {
        self.ids.channel_id().await.map_err(|error| {
            let retry_after = std::time::Duration::from_secs(2);
            Problem::retry(ErrorCode::Unavailable, error.to_string(), retry_after)
        })
    }
}

/// Two users in the order that the store wants.
fn ordered(one: &UserId, other: &UserId) -> [UserId; 2] {
    let mut users = [one.clone(), other.clone()];
    users.sort();
    users
}

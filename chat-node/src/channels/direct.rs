//! Channels of two users.

use super::{Channels, problem_of};
use crate::bus::{Audience, Envelope, Notice};
use crate::error::{ErrorCode, Problem};
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::frame::{ChannelKindView, ChannelView};
use crate::protocol::message::User;
use crate::session::Introduction;
use crate::store::ChannelKind;

/// The direct channel of `users` as `viewer`, one of them, sees it.
pub fn view(id: ChannelId, users: &[UserId; 2], (viewer, head): (&UserId, Position)) -> ChannelView {
    let [first, second] = users;
    let other = if viewer == first { second } else { first };
    ChannelView {
        id,
        kind: ChannelKindView::Direct,
        name: other.to_string(),
        recipient_id: Some(other.clone()),
        head,
        last_message: None,
        read: None,
        unread: None,
    }
}

impl Channels {
    /// The channel of `user` and `recipient`, made if they have none yet; both are told of a new one.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRecipient`], [`ErrorCode::UnknownUser`], [`ErrorCode::Unavailable`].
    pub async fn open_direct(&self, user: &User, recipient: &UserId) -> Result<ChannelView, Problem> {
        if user.id == *recipient {
            let message = "`recipient_id` is yourself: name another user";
            return Err(Problem::new(ErrorCode::InvalidRecipient, message));
        }
        let found = self.store.user(recipient).await.map_err(|error| problem_of(&error))?;
        if found.is_none() {
            let message = format!("there is no user `{recipient}`, or they have never signed in");
            return Err(Problem::new(ErrorCode::UnknownUser, message));
        }
        let id = self.ids.channel_id().await.map_err(|error| {
            let retry_after = std::time::Duration::from_secs(2);
            Problem::retry(ErrorCode::Unavailable, error.to_string(), retry_after)
        })?;
        let users = ordered(&user.id, recipient);
        let channel = self.store.open_direct(id, &users).await.map_err(|error| problem_of(&error))?;
        self.remember_kind(channel.id, &channel.kind);
        if channel.id == id {
            let opened = Envelope::new(Notice::DirectOpened { channel_id: id, users: users.clone() });
            self.bus.publish(&opened, Audience::Users(&users));
        }
        let after = if channel.id == id { Position(0) } else { channel.head };
        self.introduce(channel.id, &users, after);
        Ok(view(channel.id, &users, (&user.id, channel.head)))
    }

    /// Makes the local connections of a direct channel's users follow it from a position on, where they do not yet.
    pub(super) fn introduce(&self, id: ChannelId, users: &[UserId; 2], after: Position) {
        self.remember_kind(id, &ChannelKind::Direct(users.clone()));
        for user in users {
            let introduction = Introduction { channel: view(id, users, (user, after)), after };
            self.hub.connections.introduce(user, &introduction);
        }
    }
}

/// Two users in the order that the store wants.
fn ordered(one: &UserId, other: &UserId) -> [UserId; 2] {
    let mut users = [one.clone(), other.clone()];
    users.sort();
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_sees_the_other() {
        let users = ordered(&"bob".parse().unwrap(), &"ada".parse().unwrap());
        assert_eq!(users[0].as_str(), "ada");
        assert_eq!(view(ChannelId(9), &users, (&users[0], Position(0))).name, "bob");
        assert_eq!(view(ChannelId(9), &users, (&users[1], Position(0))).recipient_id, Some(users[0].clone()));
    }
}

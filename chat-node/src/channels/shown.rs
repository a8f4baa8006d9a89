//! Channels as their users see them.

use crate::groups::Permissions;
use crate::ids::{ChannelId, GroupId, Position, UserId};
use crate::protocol::frame::{ChannelKindView, ChannelView};
use crate::store::{Channel, ChannelKind};

/// A channel as `viewer` sees it, up to `head`; without what the viewer has read.
pub(super) fn channel(
    channel: &Channel,
    (viewer, permissions): (&UserId, Permissions),
    head: Position,
) -> ChannelView {
    let group = match &channel.kind {
        ChannelKind::Direct(users) => {
            let view = direct(channel.id, users, (viewer, head));
            return ChannelView { last_message: Some(channel.last_message), floor: channel.floor, ..view };
        }
        ChannelKind::Group(group) => *group,
    };
    let settings = channel.settings.clone();
    ChannelView {
        id: channel.id,
        kind: if group == GroupId::OFFICIAL { ChannelKindView::Official } else { ChannelKindView::Group },
        group_id: Some(group),
        name: settings.name,
        topic: settings.topic,
        slow_mode_s: settings.slow_mode_s,
        permissions,
        recipient_id: None,
        head,
        floor: channel.floor,
        last_message: Some(channel.last_message),
        read: None,
        unread: None,
    }
}

/// The direct channel of `users` as `viewer`, one of them, sees it.
pub(super) fn direct(id: ChannelId, users: &[UserId; 2], (viewer, head): (&UserId, Position)) -> ChannelView {
    let [first, second] = users;
    let other = if viewer == first { second } else { first };
    ChannelView {
        id,
        kind: ChannelKindView::Direct,
        group_id: None,
        name: other.to_string(),
        topic: String::new(),
        slow_mode_s: 0,
        permissions: Permissions::TALK,
        recipient_id: Some(other.clone()),
        head,
        floor: Position(0),
        last_message: None,
        read: None,
        unread: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_of_a_direct_channel_sees_the_other() {
        let users: [UserId; 2] = ["ada", "bob"].map(|id| id.parse().unwrap());
        assert_eq!(direct(ChannelId(9), &users, (&users[0], Position(0))).name, "bob");
        assert_eq!(
            direct(ChannelId(9), &users, (&users[1], Position(0))).recipient_id,
            Some(users[0].clone())
        );
    }
}

//! That somebody is writing: told to who follows the channel, and forgotten.

use std::sync::Arc;

use super::Channels;
use super::permit::Right;
use crate::bus::{Envelope, Notice};
use crate::error::{ErrorCode, Problem};
use crate::ids::{ChannelId, GroupId, UserId};
use crate::protocol::codec;
use crate::protocol::frame::{Event, ServerFrame};
use crate::store::ChannelKind;

impl Channels {
    /// Tells the followers of a channel that `user` is writing there.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Unavailable`]; [`ErrorCode::Forbidden`] for who may not write, and in the
    /// official group, of whose thousands somebody is always writing.
    pub async fn typing(self: &Arc<Self>, user: &UserId, channel: ChannelId) -> Result<(), Problem> {
        let standing = self.permit(user, channel, Right::Send).await?;
        if standing.kind == ChannelKind::Group(GroupId::OFFICIAL) {
            let message = "nobody is told who is writing in the official channel";
            return Err(Problem::new(ErrorCode::Forbidden, message));
        }
        self.ready_to_route(&standing).await;
        self.announce_typing(channel, user);
        let from = self.ids.server_id();
        let notice = Notice::Typing { channel_id: channel, user_id: user.clone(), from };
        self.publish_to(channel, standing.kind, &Envelope::new(notice));
        Ok(())
    }

    pub(super) fn announce_typing(&self, channel: ChannelId, user: &UserId) {
        if let Some(room) = self.hub.room(channel) {
            room.announce(&codec::encode(&ServerFrame::Event(Event::Typing {
                channel_id: channel,
                user_id: user,
            })));
        }
    }
}

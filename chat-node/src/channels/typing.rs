//! That somebody is writing: told to who follows the channel, and forgotten.

use std::sync::Arc;

use super::Channels;
use crate::bus::{Audience, Envelope, Notice};
use crate::error::{ErrorCode, Problem};
use crate::ids::{ChannelId, UserId};
use crate::protocol::codec;
use crate::protocol::frame::{Event, ServerFrame};
use crate::store::ChannelKind;

impl Channels {
    /// Tells the followers of a channel that `user` is writing there.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Unavailable`]; [`ErrorCode::Forbidden`] in the official channel, of
    /// whose thousands somebody is always writing.
    pub async fn typing(self: &Arc<Self>, user: &UserId, channel: ChannelId) -> Result<(), Problem> {
        let ChannelKind::Direct(users) = self.permit(user, channel).await? else {
            let message = "nobody is told who is writing in the official channel";
            return Err(Problem::new(ErrorCode::Forbidden, message));
        };
        self.announce_typing(channel, user);
        let from = self.ids.server_id();
        let notice = Notice::Typing { channel_id: channel, user_id: user.clone(), from };
        let audience = Audience::Channel { id: channel, members: &users };
        self.bus.publish(&Envelope::new(notice), audience);
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

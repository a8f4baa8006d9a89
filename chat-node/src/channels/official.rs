//! The official group: one channel that every user is in from their first sign-in, without member rows.

use crate::ids::{ChannelId, Position};
use crate::protocol::frame::{ChannelKindView, ChannelView};

/// The official channel as every user sees it.
pub fn view(name: &str, head: Position) -> ChannelView {
    ChannelView {
        id: ChannelId::OFFICIAL,
        kind: ChannelKindView::Official,
        name: name.to_owned(),
        recipient_id: None,
        head,
        last_message: None,
        read: None,
        unread: None,
    }
}

//! What a session asks of its driver.

use super::input::Watched;
use crate::error::CloseReason;
use crate::ids::{ChannelId, Position};
use crate::protocol::codec::Encoded;
use crate::protocol::cursors::Cursors;
use crate::protocol::frame::{Draft, Fetch, Identify};

/// What the driver has to do.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Write a frame now.
    Write(Encoded),
    /// Write a frame behind the events that are queued.
    Queue(Encoded),
    /// Keep these as the client's cursors, if somebody has to: from now on they move with the frames that are written.
    Cursors(Cursors),
    /// Check the token, and then as [`Output::Welcome`].
    Identify(Identify),
    /// Gather the channels of the user, each with a head that is not before the cursor unless the cursor is beyond the
    /// channel's end; answer with [`Input::Identified`](super::Input::Identified).
    Welcome(Cursors),
    /// Append and publish; answer with [`Input::Sent`](super::Input::Sent).
    Send(Draft),
    /// Queue what comes after a position of a channel, stored entries first, then live ones; answer with
    /// [`Input::Followed`](super::Input::Followed).
    Follow {
        /// The channel.
        channel: ChannelId,
        /// The position.
        after: Position,
    },
    /// Queue nothing of the channel any more.
    Unfollow(ChannelId),
    /// Read entries of a channel, if the user may; answer with [`Input::Fetched`](super::Input::Fetched).
    Fetch(Fetch),
    /// Queue an acknowledgement with the heads of the followed channels.
    AcknowledgeHeartbeat,
    /// Tell the channel's other followers that the user is writing.
    Typing(ChannelId),
    /// Note that the user has read a channel up to a position, if they may read it.
    MarkRead {
        /// The channel.
        channel: ChannelId,
        /// The position.
        position: Position,
    },
    /// Queue whether these users are here, of whom the user may know it, and every change of it. No others any more.
    Watch(Watched),
    /// The request is answered: write what is queued, and end.
    End,
    /// Close the connection.
    Close(CloseReason),
}

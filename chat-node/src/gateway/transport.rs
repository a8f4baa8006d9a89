//! What the driver needs of a way to a client, whatever it is.

use std::future::Future;

use crate::error::CloseReason;
pub use crate::hub::send_queue::Flushed;
use crate::protocol::codec::Encoded;
use crate::protocol::cursors::Cursors;

/// What comes from a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A text frame.
    Text(String),
    /// A frame that is not text.
    Binary,
    /// A frame that is larger than the client may send.
    Oversize,
    /// A sign of life without content.
    Control,
    /// Nothing any more: the client has closed, or the way is broken, or the answer is complete.
    Gone,
}

/// Whether a transport takes a further frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// It does.
    Room,
    /// Only when this one is written.
    Full,
}

/// A way to one client.
pub trait Transport: Send {
    /// Waits for what the client says. Nothing is lost if the future is dropped.
    fn receive(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Takes a frame, to be written with others.
    fn feed(&mut self, frame: Encoded) -> Fed;

    /// Writes what was fed, as far as it goes at once.
    fn write(&mut self) -> Flushed;

    /// Waits until more can be written, or the client is gone. Nothing is lost if the future is dropped.
    fn writable(&mut self) -> impl Future<Output = ()> + Send;

    /// Says why, and closes.
    fn close(&mut self, reason: CloseReason) -> impl Future<Output = ()> + Send;

    /// Notes the client's cursors, which move with the frames that are fed from now on. Only for transports that keep
    /// them.
    fn begin(&mut self, _cursors: Cursors) {}
}

//! The ways in which a client can be spoken to.

use std::time::Duration;

use crate::protocol::cursors::Cursors;

/// How a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Both sides speak, for as long as they want: the client is greeted, identifies, and gives signs of life.
    Dialogue,
    /// A request that is answered without end.
    Stream,
    /// A request that is answered as soon as there is something, or after this time.
    Poll(Duration),
}

/// A request whose user is known: the start of a session that the client cannot speak in.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// [`Form::Stream`] or [`Form::Poll`].
    pub form: Form,
    /// What the client has seen; none: it is new here.
    pub cursors: Cursors,
}

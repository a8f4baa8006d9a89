//! The VibeTalk chat server.
//!
//! A message goes gateway → session → channels → store, and from there over the bus to the hub of every node.

pub mod channels;
pub mod clock;
pub mod ids;
pub mod protocol;
pub mod store;

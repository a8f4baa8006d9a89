//! What clients and nodes say to each other. `PROTOCOL.md` is the same for people.

pub mod attachment;
pub mod codec;
pub mod compose;
pub mod cursors;
pub mod emoji;
pub mod frame;
pub mod group;
pub mod message;
pub mod presence;

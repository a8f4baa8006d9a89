//! What clients and nodes say to each other. `PROTOCOL.md` is the same for people.

pub mod attachment;
pub mod codec;
pub mod cursors;
pub mod emoji;
pub mod frame;
pub mod message;
pub mod presence;

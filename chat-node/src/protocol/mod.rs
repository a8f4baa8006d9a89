//! What clients and nodes say to each other. `PROTOCOL.md` is the same for people.

pub mod codec;
pub mod frame;
pub mod message;

//! The client's side of WebSocket (RFC 6455) in so few bytes that one process holds tens of thousands of connections:
//! no buffer belongs to an idle one.

mod handshake;
mod incoming;
mod outgoing;

pub use handshake::{Answer, request, take_answer};
pub use incoming::{Frame, next};
pub use outgoing::{Opcode, append};

#[cfg(test)]
mod tests;

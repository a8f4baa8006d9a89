//! The server's side of RFC 6455, without I/O but for the handshake's place in HTTP. No extensions are agreed on, so a
//! frame is encoded once and its bytes go to every client as they are.

pub mod decoder;
pub mod frame;
pub mod handshake;

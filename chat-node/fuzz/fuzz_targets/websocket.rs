//! The bytes of a client behind the handshake, in pieces: decoded, as long as they can be.
#![no_main]

use chat_node::websocket::decoder::{Decoder, Message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pieces: Vec<&[u8]>| {
    let mut decoder = Decoder::new(1_000);
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.decode() {
                Ok(Some(Message::Binary)) | Err(_) => return,
                Ok(Some(_)) => {}
                Ok(None) => break,
            }
        }
    }
});

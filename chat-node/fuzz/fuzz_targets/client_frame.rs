//! A frame of a client: decoded, and handled by a session that has not signed in.
#![no_main]

use std::sync::Arc;
use std::time::Instant;

use chat_node::ids::ServerId;
use chat_node::limits::Limits;
use chat_node::protocol::codec::decode;
use chat_node::session::{Input, Session};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = decode(text);
    let server_id = ServerId::new(7).expect("a server id");
    let mut session = Session::new(Arc::new(Limits::default()), server_id, Instant::now());
    session.handle(Input::Text(text), Instant::now());
    while session.poll().is_some() {}
});

//! What anybody can send never breaks a parser, whatever it is. The fuzz targets in `fuzz/` call the same functions.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/bodies.rs"]
mod bodies;

use std::sync::Arc;
use std::time::Instant;

use chat_node::auth::{SigningKey, Tokens};
use chat_node::bus::Envelope;
use chat_node::ids::ServerId;
use chat_node::limits::Limits;
use chat_node::protocol::codec::decode;
use chat_node::session::{Input, Output, Session};
use crds::node::AuthConfig;
use proptest::prelude::*;

const FRAMES: &[&str] = &[
    r#"{"op":"identify","token":"a.b.c","cursors":{"1":"17","2":"0"}}"#,
    r#"{"op":"send","channel_id":"1","nonce":"n-1","content":"hi \u00e9 \ud83d\ude00"}"#,
    r#"{"op":"heartbeat"}"#,
    r#"{"op":"typing","channel_id":"1"}"#,
    r#"{"op":"fetch","channel_id":"1","after":"3","limit":10}"#,
    r#"{"op":"read","channel_id":"1","position":"3"}"#,
    r#"{"op":"watch","user_ids":["ada","bob"]}"#,
];
const BODIES: &[&str] = &[
    r#"{"recipient_id":"bob"}"#,
    r#"{"user":"ada","name":"Ada"}"#,
    r#"{"nonce":"n-1","content":"hi","reference":"7","embeds":[{"title":"t"}]}"#,
    r#"{"role":"muted"}"#,
    r#"{"position":"7"}"#,
    r#"{"nonce":"n-2","content":"new","mentions":["bob"],"mention_everyone":true}"#,
    r#"{"name":"News","topic":"what is new","slow_mode_s":5}"#,
    r#"{"overrides":[{"target":{"role":"member"},"deny":{"send":true}}]}"#,
];
const ENVELOPES: &[&str] = &[
    r#"{"v":1,"kind":"direct_opened","channel_id":"9","users":["ada","bob"]}"#,
    r#"{"v":1,"kind":"probe","queue":"srv.a","exchange":"vt.a"}"#,
    r#"{"v":1,"kind":"entry","access":2,"users":["ada","bob"],"entry":{"entry":"message","id":"7","channel_id":"9",
        "position":"3","author":{"id":"ada","name":"Ada"},"content":"hi","nonce":"n-1","timestamp_ms":1}}"#,
    r#"{"v":1,"kind":"entry","access":2,"entry":{"entry":"change","id":"8","channel_id":"9","position":"4",
        "by":{"id":"ada","name":"Ada"},"timestamp_ms":1,"change":{"kind":"delete","message_id":"7"}}}"#,
    r#"{"v":1,"kind":"entry","access":0,"entry":{"entry":"void","channel_id":"9","position":"5"}}"#,
    r#"{"v":1,"kind":"group_changed","group_id":"2","version":3,"users":["ada"]}"#,
    r#"{"v":1,"kind":"read","user":"ada","channel_id":"9","position":"3"}"#,
    r#"{"v":1,"kind":"typing","channel_id":"9","user_id":"ada","from":7}"#,
    r#"{"v":1,"kind":"presence","what":"changes","node":7,"version":1,"here":["ada"],"gone":["bob"]}"#,
];
const TOKENS: &[&str] = &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9.AAAA"];

/// A valid text with some bytes changed, left out or put in twice.
fn mutated(valid: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0_u8..3);
    (prop::sample::select(valid), prop::collection::vec(change, 0..6)).prop_map(|(valid, changes)| {
        let mut bytes = valid.as_bytes().to_vec();
        for (index, byte, kind) in changes {
            let at = index.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        bytes
    })
}

fn hostile(valid: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![mutated(valid), prop::collection::vec(any::<u8>(), 0..400)]
}

proptest! {
    #[test]
    fn no_frame_breaks_the_decoder_and_its_explanation_is_short(bytes in hostile(FRAMES)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = decode(&text) {
            prop_assert!(error.message.len() < 1_000, "{}", error.message);
        }
    }

    #[test]
    fn no_sequence_of_frames_makes_a_session_say_more_than_it_was_asked(
        frames in prop::collection::vec(hostile(FRAMES), 0..60),
    ) {
        let mut session = Session::new(Arc::new(Limits::default()), ServerId::new(7).unwrap(), Instant::now());
        let (mut said, asked) = (0, frames.len());
        for bytes in frames {
            session.handle(Input::Text(&String::from_utf8_lossy(&bytes)), Instant::now());
            while let Some(output) = session.poll() {
                said += 1;
                if let Output::Write(frame) = output {
                    prop_assert!(frame.len() < 2_000, "{}", frame.as_str());
                }
            }
        }
        prop_assert!(said <= asked * 2 + 2);
    }

    #[test]
    fn no_body_breaks_its_parser(bytes in hostile(BODIES)) {
        bodies::readable(&bytes);
    }

    #[test]
    fn no_envelope_breaks_its_parser_and_what_is_read_can_be_written(bytes in hostile(ENVELOPES)) {
        if let Some(envelope) = Envelope::from_bytes(&bytes) {
            prop_assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Some(envelope));
        }
    }

    #[test]
    fn no_token_breaks_the_check_and_none_is_taken(bytes in hostile(TOKENS)) {
        let tokens = Tokens::new(SigningKey::new(vec![7; 32]).unwrap(), &AuthConfig::default());
        prop_assert!(tokens.verify(&String::from_utf8_lossy(&bytes)).is_err());
    }
}

#[test]
fn what_is_spoiled_is_valid_before() {
    for frame in FRAMES {
        decode(frame).unwrap();
    }
    for body in BODIES {
        assert!(bodies::readable(body.as_bytes()) > bodies::readable(b"{}"), "{body}");
    }
    for envelope in ENVELOPES {
        assert!(Envelope::from_bytes(envelope.as_bytes()).is_some(), "{envelope}");
    }
}

use super::read::read;
use super::*;
use crate::load::cast::{RoomNumber, UserNumber};
use crate::load::message::Run;
use crate::load::oracle::{Arrived, Content, Seat};

fn run() -> Run {
    Run::new("ab".to_owned(), 30)
}

fn message(id: u64, content: &str) -> String {
    format!(
        r#"{{"op":"event","type":"message_create","message":{{"id":"{id}","channel_id":"9","position":"18","author":{{"id":"load-ab-3","name":"x"}},"content":"{content}","nonce":"ab-7","timestamp_ms":1735689600000}}}}"#
    )
}

fn arrived(frame: FromServer) -> (u64, u64, Arrived) {
    match frame {
        FromServer::Entry(channel, Entry { position, content: Content::Message(arrived) }) => {
            (channel, position, arrived)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_known_and_compared_with_what_was_sent() {
    let run = run();
    let good = run.content(MessageNumber(7));
    let (channel, position, sent) = arrived(read(&run, message(5, &good).as_bytes()).unwrap());
    assert_eq!((channel, position, sent.id, sent.number), (9, 18, 5, Some(MessageNumber(7))));
    assert_eq!((sent.author, sent.as_written), (Some(UserNumber(3)), true));
    let (.., altered) = arrived(read(&run, message(5, "other").as_bytes()).unwrap());
    assert!(!altered.as_written && altered.digest != sent.digest);
}

#[test]
fn fields_may_stand_in_any_order_and_texts_may_be_escaped() {
    let run = run();
    let usual = arrived(read(&run, message(5, r"a\nb").as_bytes()).unwrap());
    let other = r#"{"type":"message_create","message":{"nonce":"ab-7","content":"a\u000ab","author":{"name":"x","id":"load-ab-3"},"position":"18","channel_id":"9","id":"5","new":1},"op":"event"}"#;
    assert_eq!(arrived(read(&run, other.as_bytes()).unwrap()), usual);
}

#[test]
fn every_documented_frame_is_understood() {
    let documented = include_str!("../../../../chat-node/PROTOCOL.md");
    let rows = documented.lines().filter(|line| line.starts_with("| server | `{"));
    let frames = rows.filter_map(|line| line.split('`').nth(1));
    let mut seen = 0;
    for frame in frames {
        // What is left out there does not matter here.
        let frame = frame
            .replace("\"channel\":{…}", r#""channel":{"id":"9"}"#)
            .replace("{…}", "{}")
            .replace(",…}", "}")
            .replace("\"…\"", "\"1\"");
        read(&run(), frame.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        seen += 1;
    }
    assert!(seen >= 15, "{seen} frames found in the protocol");
    assert!(read(&run(), br#"{"op":"new"}"#).is_err());
    assert!(read(&run(), br#"{"op":"event","type":"new"}"#).is_err());
    assert!(read(&run(), b"x").is_err());
}

#[test]
fn frames_are_read_as_they_are_meant() {
    let read = |text: &str| read(&run(), text.as_bytes()).unwrap();
    let ready = r#"{"op":"ready","server_id":7,"user":{"id":"a","name":"A"},"channels":[{"id":"1","kind":"official","name":"O","head":"17"}]}"#;
    assert_eq!(read(ready), FromServer::Ready(vec![Head { channel: 1, position: 17 }]));
    let ack = r#"{"op":"ack","nonce":"ab-3","id":"4","position":"5"}"#;
    assert_eq!(read(ack), FromServer::Ack(MessageNumber(3), Place { id: 4, position: 5 }));
    let void = r#"{"op":"event","type":"void","channel_id":"1","position":"19"}"#;
    assert_eq!(read(void), FromServer::Entry(1, Entry { position: 19, content: Content::Void }));
    let refused =
        r#"{"op":"error","code":"rate_limited","message":"m","nonce":"ab-1","retry_after_ms":1500}"#;
    let FromServer::Refused(refusal) = read(refused) else { panic!() };
    assert_eq!(refusal.number, Some(MessageNumber(1)));
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(1_500)));
}

#[test]
fn a_frame_that_was_read_before_is_read_the_same_and_another_one_never_taken_for_it() {
    let (run, mut reader) = (run(), Reader::new(run()));
    let texts: Vec<String> = (0..3_000).flat_map(|id| [message(id, "a"), message(id, "b")]).collect();
    for text in texts.iter().flat_map(|text| [text, text]).chain(&texts) {
        assert_eq!(reader.read(text.as_bytes()).unwrap(), read(&run, text.as_bytes()).unwrap());
    }
}

#[test]
fn what_a_client_says_is_the_protocols_json() {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let seats = [Seat { room: RoomNumber(0), last: 17 }, Seat { room: RoomNumber(1), last: 3 }];
    let identify = identify("t", &seats, |seat| u64::from(seat.room.0) + 1);
    let wanted = serde_json::json!({"op": "identify", "token": "t", "cursors": {"1": "17", "2": "3"}});
    assert_eq!(json(&identify), wanted);
    let content = run().content(MessageNumber(1));
    let wanted = serde_json::json!({"op": "send", "channel_id": "9", "nonce": "n", "content": content});
    assert_eq!(json(&send(9, "n", &content)), wanted);
    assert_eq!(json(&typing(9)), serde_json::json!({"op": "typing", "channel_id": "9"}));
}

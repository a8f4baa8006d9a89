//! What a client says, and the answers.

use super::*;
use crate::error::ErrorCode;
use crate::ids::MessageId;
use crate::protocol::frame::Fetch;
use crate::protocol::message::Entry;

#[test]
fn messages_go_to_the_store_one_after_another() {
    let (mut client, _) = Client::live("{}");
    client.sends("a");
    client.sends("b");
    let outputs = client.outputs();
    assert!(matches!(&outputs[..], [Output::Send(draft)] if draft.nonce == "a"));
    client.is(Input::Sent {
        nonce: "a".to_owned(),
        result: Ok(Sent { id: MessageId(9), position: Position(18) }),
    });
    let outputs = client.outputs();
    assert!(
        matches!(&outputs[0], Output::Write(ack) if ack.as_str() == r#"{"op":"ack","nonce":"a","id":"9","position":"18"}"#)
    );
    assert!(matches!(&outputs[1..], [Output::Send(draft)] if draft.nonce == "b"));
}

#[test]
fn bad_messages_are_refused_with_their_nonce() {
    let (mut client, _) = Client::live("{}");
    for content in ["", "   ", &"x".repeat(4_001)] {
        client.says(&format!(r#"{{"op":"send","channel_id":"1","nonce":"n","content":"{content}"}}"#));
        let written = client.written();
        assert!(written[0].contains(r#""code":"invalid_content""#) && written[0].contains(r#""nonce":"n""#));
    }
    client.sends("");
    assert!(client.written()[0].contains(r#""code":"invalid_nonce""#));
    client.sends(&"n".repeat(65));
    assert!(client.written()[0].contains(r#""code":"invalid_nonce""#));
    client
        .says(&format!(r#"{{"op":"send","channel_id":"1","nonce":"n","content":"{}"}}"#, "é".repeat(4_000)));
    assert!(matches!(client.outputs()[..], [Output::Send(_)]));
}

#[test]
fn an_unknown_op_and_a_broken_frame_are_refused_and_the_connection_stays() {
    let (mut client, _) = Client::live("{}");
    client.says(r#"{"op":"dance"}"#);
    client.says("{");
    let written = client.written();
    assert!(written[0].contains("unknown_op") && written[1].contains("malformed"), "{written:?}");
    client.says(r#"{"op":"heartbeat"}"#);
    assert_eq!(client.outputs(), [Output::AcknowledgeHeartbeat]);
}

#[test]
fn typing_is_told_once_in_three_seconds_and_only_where_the_user_is() {
    let (mut client, _) = Client::live("{}");
    let typing = |channel: u64| format!(r#"{{"op":"typing","channel_id":"{channel}"}}"#);
    client.says(&typing(2));
    client.says(&typing(2));
    client.says(&typing(1));
    assert_eq!(client.outputs(), [2, 1].map(|id| Output::Typing(ChannelId(id))));
    client.wait(3);
    client.says(&typing(2));
    assert_eq!(client.outputs(), [Output::Typing(ChannelId(2))]);
    client.says(&typing(3));
    assert!(client.written()[0].contains("unknown_channel"));
}

#[test]
fn what_was_read_is_noted() {
    let (mut client, _) = Client::live("{}");
    client.says(r#"{"op":"read","channel_id":"2","position":"4"}"#);
    assert_eq!(client.outputs(), [Output::MarkRead { channel: ChannelId(2), position: Position(4) }]);
}

#[test]
fn so_many_users_can_be_watched_and_no_more() {
    let (mut client, _) = Client::live("{}");
    let watch = |count: usize| {
        let users: Vec<_> = (0..count).map(|number| format!("user-{number}")).collect();
        serde_json::json!({"op": "watch", "user_ids": users}).to_string()
    };
    client.says(&watch(100));
    assert!(matches!(&client.outputs()[..], [Output::Watch(users)] if users.len() == 100));
    client.says(&watch(101));
    assert!(client.written()[0].contains("at most 100"));
}

#[test]
fn a_few_fetches_at_a_time_are_answered_with_entries() {
    let (mut client, _) = Client::live("{}");
    let asks = r#"{"op":"fetch","channel_id":"2","after":"3","limit":2}"#;
    for _ in 0..5 {
        client.says(asks);
    }
    let outputs = client.outputs();
    let fetch = Fetch { channel_id: ChannelId(2), after: Position(3), limit: 2 };
    assert_eq!(outputs[..4], [fetch; 4].map(Output::Fetch));
    assert!(matches!(&outputs[4], Output::Write(error) if error.as_str().contains("rate_limited")));
    let entry = |position| Entry::Void { channel_id: ChannelId(2), position: Position(position) };
    client.is(Input::Fetched { fetch, result: Ok(vec![entry(4), entry(5)]) });
    let filled = client.written();
    assert!(
        filled[0].starts_with(r#"{"op":"fill","channel_id":"2","after":"3","entries":[{"type":"void","channel_id":"2","position":"4"},{"#),
        "{filled:?}"
    );
    client.says(asks);
    client.is(Input::Fetched { fetch, result: Err(Problem::new(ErrorCode::UnknownChannel, "gone")) });
    assert!(client.written()[1].contains("unknown_channel"));
    for limit in [0, 101] {
        client.says(&format!(r#"{{"op":"fetch","channel_id":"2","after":"3","limit":{limit}}}"#));
        assert!(client.written()[0].contains("malformed"));
    }
}

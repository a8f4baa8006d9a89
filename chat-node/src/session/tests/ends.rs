//! How a connection ends.

use super::*;

#[test]
fn silence_for_two_intervals_closes_and_any_frame_keeps_open() {
    let (mut client, _) = Client::live("{}");
    client.wait(59);
    client.says(r#"{"op":"heartbeat"}"#);
    assert_eq!(client.outputs(), [Output::AcknowledgeHeartbeat]);
    client.wait(59);
    assert_eq!(closed(&client.outputs()), None);
    client.wait(1);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::HeartbeatTimeout));
}

#[test]
fn an_expired_token_closes_the_connection() {
    let (mut client, _) = Client::live("{}");
    for _ in 0..120 {
        client.says(r#"{"op":"heartbeat"}"#);
        client.wait(30);
    }
    assert_eq!(closed(&client.outputs()), Some(CloseReason::TokenExpired));
}

#[test]
fn a_frame_too_large_closes() {
    let (mut client, _) = Client::live("{}");
    client.says(&" ".repeat(16 * 1024 + 1));
    assert_eq!(closed(&client.outputs()), Some(CloseReason::TooLarge));
}

#[test]
fn too_many_commands_are_told_when_to_come_back_and_then_closed() {
    let (mut client, _) = Client::live("{}");
    for _ in 0..120 {
        client.says(r#"{"op":"heartbeat"}"#);
    }
    client.outputs();
    client.sends("n");
    let written = client.written();
    assert!(
        written[0].contains("rate_limited") && written[0].contains(r#""retry_after_ms":500"#),
        "{written:?}"
    );
    for _ in 0..120 {
        client.sends("n");
    }
    assert_eq!(closed(&client.outputs()), Some(CloseReason::Flooding));
}

#[test]
fn who_is_told_to_reconnect_and_stays_is_closed() {
    let (mut client, _) = Client::live("{}");
    client.is(Input::Reconnect(Duration::from_millis(1_234)));
    assert_eq!(client.written(), [r#"{"op":"reconnect","delay_ms":1234}"#]);
    client.wait(3);
    assert_eq!(closed(&client.outputs()), None);
    client.wait(1);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::Restart));
}

#[test]
fn nothing_comes_after_the_close() {
    let (mut client, _) = Client::live("{}");
    client.is(Input::Overflow);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::Slow));
    client.sends("n");
    client.wait(1_000);
    assert_eq!(client.outputs(), []);
    assert_eq!(client.session.poll_timeout(), None);
}

//! Signing in, and what can go wrong before it is done.

use super::*;

#[test]
fn ready_comes_first_and_channels_are_followed_from_the_cursor_or_the_head_before_it() {
    let (_, outputs) = Client::live(r#"{"1":"99","2":"3","99":"1"}"#);
    assert!(
        matches!(&outputs[0], Output::Write(ready) if ready.as_str().starts_with(r#"{"op":"ready","server_id":7"#))
    );
    let follows = [
        Output::Follow { channel: ChannelId(1), after: Position(17) },
        Output::Follow { channel: ChannelId(2), after: Position(3) },
    ];
    assert_eq!(outputs[1..], follows);
}

#[test]
fn who_does_not_identify_in_time_is_closed() {
    let mut client = Client::greeted();
    assert_eq!(client.session.poll_timeout().map(|(_, wake)| wake), Some(Wake::IdentifyDeadline));
    client.wait(9);
    assert_eq!(closed(&client.outputs()), None);
    client.wait(1);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::IdentifyTimeout));
}

#[test]
fn who_has_identified_is_not_closed_for_the_time_that_the_node_needs() {
    let mut client = Client::greeted();
    client.says(r#"{"op":"identify","token":"t"}"#);
    client.outputs();
    assert_eq!(client.session.poll_timeout(), None);
    client.wait(25);
    client.says(r#"{"op":"heartbeat"}"#);
    assert_eq!(client.outputs(), [Output::AcknowledgeHeartbeat]);
}

#[test]
fn who_speaks_before_identifying_is_closed() {
    let mut client = Client::greeted();
    client.sends("n");
    assert_eq!(closed(&client.outputs()), Some(CloseReason::NotIdentified));
}

#[test]
fn who_identifies_twice_is_closed() {
    let (mut client, _) = Client::live("{}");
    client.says(r#"{"op":"identify","token":"t"}"#);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::AlreadyIdentified));
}

#[test]
fn a_bad_token_is_explained_and_closed() {
    let mut client = Client::greeted();
    client.says(r#"{"op":"identify","token":"t"}"#);
    client.outputs();
    client.is(Input::Identified(Err(IdentifyRefusal::BadToken("it has expired".to_owned()))));
    let outputs = client.outputs();
    assert!(matches!(&outputs[0], Output::Write(error) if error.as_str().contains("it has expired")));
    assert_eq!(closed(&outputs), Some(CloseReason::BadToken));
}

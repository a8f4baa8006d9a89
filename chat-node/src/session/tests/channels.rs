//! Channels that come and go.

use super::*;

#[test]
fn a_new_channel_is_told_once_and_followed() {
    let (mut client, _) = Client::live("{}");
    for _ in 0..2 {
        client.is(Input::Introduced(channel(3, 0)));
    }
    let outputs = client.outputs();
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    assert_eq!(outputs[1], Output::Follow { channel: ChannelId(3), after: Position(0) });
}

#[test]
fn a_withdrawn_channel_is_left_and_can_come_back() {
    let (mut client, _) = Client::live("{}");
    client.is(Input::Withdrawn(ChannelId(2)));
    client.is(Input::Withdrawn(ChannelId(2)));
    let outputs = client.outputs();
    assert_eq!(outputs[0], Output::Unfollow(ChannelId(2)));
    assert!(
        matches!(&outputs[1..], [Output::Queue(gone)] if gone.as_str() == r#"{"op":"event","type":"channel_delete","channel_id":"2"}"#),
        "{outputs:?}"
    );
    client.is(Input::Introduced(channel(2, 9)));
    assert_eq!(client.outputs()[1], follow(2, 9));
}

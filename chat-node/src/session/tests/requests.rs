//! Long-polling and streams, which are requests.

use super::*;

fn cursors(text: &str) -> Output {
    Output::Cursors(text.parse().unwrap())
}

#[test]
fn a_first_poll_is_made_ready_and_a_later_one_is_only_told_what_changed() {
    let poll = Form::Poll(Duration::from_secs(25));
    let (_, outputs) = Client::requested(poll, "");
    assert!(matches!(&outputs[1], Output::Write(ready) if ready.as_str().contains(r#""op":"ready""#)));
    assert_eq!(outputs[2..], [follow(1, 17), follow(2, 5)]);

    let (_, outputs) = Client::requested(poll, "1:16,2:5");
    assert_eq!(outputs, [cursors("1:16,2:5"), follow(1, 16), follow(2, 5)]);

    let (mut client, outputs) = Client::requested(poll, "1:17,9:3");
    assert!(
        matches!(&outputs[1], Output::Write(new) if new.as_str().contains("channel_create")),
        "{outputs:?}"
    );
    assert!(
        matches!(&outputs[2], Output::Write(gone) if gone.as_str().contains("channel_delete")),
        "{outputs:?}"
    );
    assert_eq!(outputs[3..], [follow(1, 17), follow(2, 5)]);
    assert_eq!(client.outputs(), []);
}

#[test]
fn where_the_client_stands_is_noted_before_the_first_frame_and_no_channel_is_ahead_of_its_head() {
    let first = |form, sent| Client::requested(form, sent).1.swap_remove(0);
    // The frames that follow bring in channel 2 and take out channel 9.
    let poll = Form::Poll(Duration::from_secs(25));
    assert_eq!(first(poll, ""), cursors("1:17,2:5"));
    assert_eq!(first(poll, "1:99,9:3"), cursors("1:17,9:3"));
    // Every stream begins with all channels.
    assert_eq!(first(Form::Stream, "1:99,9:3"), cursors("1:17,2:5"));
}

#[test]
fn a_poll_waits_from_the_moment_at_which_it_has_caught_up() {
    let (mut client, _) = Client::requested(Form::Poll(Duration::from_secs(25)), "1:1,2:1");
    client.is(Input::Followed(ChannelId(1)));
    client.wait(100);
    assert_eq!(client.outputs(), []);
    client.is(Input::Followed(ChannelId(2)));
    client.wait(24);
    assert_eq!(client.outputs(), []);
    client.wait(1);
    assert_eq!(client.outputs(), [Output::End]);
}

#[test]
fn a_poll_on_a_node_that_goes_is_answered_at_once_and_a_stream_after_the_delay() {
    let delay = Duration::from_secs(3);
    let (mut client, _) = Client::requested(Form::Poll(Duration::from_secs(25)), "1:1");
    client.is(Input::Reconnect(delay));
    assert_eq!(client.written(), [r#"{"op":"reconnect","delay_ms":3000}"#, "End"]);

    let (mut client, _) = Client::requested(Form::Stream, "1:1");
    client.is(Input::Reconnect(delay));
    assert_eq!(client.written(), [r#"{"op":"reconnect","delay_ms":3000}"#]);
    client.wait(5);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::Restart));
}

#[test]
fn a_stream_is_made_ready_each_time_and_needs_no_sign_of_life() {
    let (mut client, outputs) = Client::requested(Form::Stream, "1:16,9:3");
    assert!(matches!(&outputs[1], Output::Write(ready) if ready.as_str().contains(r#""op":"ready""#)));
    assert_eq!(outputs[2..], [follow(1, 16), follow(2, 5)]);
    client.wait(3_599);
    assert_eq!(client.outputs(), []);
    client.wait(1);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::TokenExpired));
}

use super::*;
use crate::error::ErrorCode;
use crate::ids::{MessageId, Position};
use crate::protocol::codec::Class;
use crate::protocol::frame::{ChannelView, Fetch};
use crate::protocol::message::{Entry, User};

struct Client {
    session: Session,
    now: Instant,
}

impl Client {
    fn greeted() -> Self {
        let now = Instant::now();
        let session = Session::new(Arc::new(Limits::default()), ServerId::new(7), now);
        let mut client = Self { session, now };
        assert_eq!(client.written(), [r#"{"op":"hello","heartbeat_ms":30000,"server_id":7}"#]);
        client
    }

    fn live(cursors: &str) -> (Self, Vec<Output>) {
        let mut client = Self::greeted();
        client.says(&format!(r#"{{"op":"identify","token":"t","cursors":{cursors}}}"#));
        assert!(matches!(client.outputs()[..], [Output::Identify(_)]));
        let outputs = client.welcomed();
        (client, outputs)
    }

    /// A request that has been welcomed.
    fn requested(form: Form, cursors: &str) -> (Self, Vec<Output>) {
        let now = Instant::now();
        let cursors: Cursors = cursors.parse().unwrap();
        let request = Request { form, cursors: cursors.clone() };
        let session = Session::requested(request, Arc::new(Limits::default()), ServerId::new(7), now);
        let mut client = Self { session, now };
        assert_eq!(client.outputs(), [Output::Welcome(cursors)]);
        let outputs = client.welcomed();
        (client, outputs)
    }

    fn welcomed(&mut self) -> Vec<Output> {
        let welcome = Welcome {
            user: User { id: "ada".parse().unwrap(), name: "Ada".to_owned() },
            expires: self.now + Duration::from_secs(3_600),
            channels: vec![channel(1, 17), channel(2, 5)],
        };
        self.is(Input::Identified(Ok(welcome)));
        self.outputs()
    }

    fn is(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
    }

    fn says(&mut self, text: &str) {
        self.is(Input::Text(text));
    }

    fn sends(&mut self, nonce: &str) {
        self.says(&format!(r#"{{"op":"send","channel_id":"1","nonce":"{nonce}","content":"hi"}}"#));
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    fn written(&mut self) -> Vec<String> {
        let text = |output| match output {
            Output::Write(frame) | Output::Queue(frame) => frame.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        self.outputs().into_iter().map(text).collect()
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.is(Input::Timeout);
    }
}

fn channel(id: u64, head: u64) -> ChannelView {
    ChannelView {
        id: ChannelId(id),
        kind: crate::protocol::frame::ChannelKindView::Official,
        group_id: Some(crate::ids::GroupId::OFFICIAL),
        name: "Official".to_owned(),
        topic: String::new(),
        slow_mode_s: 0,
        permissions: crate::groups::Permissions::TALK,
        recipient_id: None,
        head: Position(head),
        floor: Position(0),
        last_message: None,
        read: None,
        unread: None,
    }
}

fn closed(outputs: &[Output]) -> Option<CloseReason> {
    match outputs.last() {
        Some(Output::Close(reason)) => Some(*reason),
        _ => None,
    }
}

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
fn a_new_channel_is_told_once_and_followed() {
    let (mut client, _) = Client::live("{}");
    for _ in 0..2 {
        client.is(Input::Introduced(Introduction { channel: channel(3, 0), after: Position(0) }));
    }
    let outputs = client.outputs();
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    assert_eq!(outputs[1], Output::Follow { channel: ChannelId(3), after: Position(0) });
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

fn follow(channel: u64, after: u64) -> Output {
    Output::Follow { channel: ChannelId(channel), after: Position(after) }
}

#[test]
fn a_first_poll_is_made_ready_and_a_later_one_is_only_told_what_changed() {
    let poll = Form::Poll(Duration::from_secs(25));
    let (_, outputs) = Client::requested(poll, "");
    assert!(matches!(&outputs[0], Output::Write(ready) if ready.as_str().contains(r#""op":"ready""#)));
    assert_eq!(outputs[1..], [follow(1, 17), follow(2, 5)]);

    let (_, outputs) = Client::requested(poll, "1:16,2:5");
    assert_eq!(outputs, [follow(1, 16), follow(2, 5)]);

    let (mut client, outputs) = Client::requested(poll, "1:17,9:3");
    assert!(
        matches!(&outputs[0], Output::Write(new) if new.as_str().contains("channel_create")),
        "{outputs:?}"
    );
    assert!(
        matches!(&outputs[1], Output::Write(gone) if gone.as_str().contains("channel_delete")),
        "{outputs:?}"
    );
    assert_eq!(outputs[2..], [Output::Unfollow(ChannelId(9)), follow(1, 17), follow(2, 5)]);
    assert_eq!(client.outputs(), []);
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
    assert!(matches!(&outputs[0], Output::Write(ready) if ready.as_str().contains(r#""op":"ready""#)));
    assert_eq!(outputs[1..], [Output::Unfollow(ChannelId(9)), follow(1, 16), follow(2, 5)]);
    client.wait(3_599);
    assert_eq!(client.outputs(), []);
    client.wait(1);
    assert_eq!(closed(&client.outputs()), Some(CloseReason::TokenExpired));
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
    client.is(Input::Introduced(Introduction { channel: channel(2, 9), after: Position(9) }));
    assert_eq!(client.outputs()[1], follow(2, 9));
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

#[test]
fn only_typing_and_presence_may_be_dropped() {
    let ada = "ada".parse().unwrap();
    let class = |event| codec::encode(&ServerFrame::Event(event)).class();
    use crate::protocol::frame::Event;
    assert_eq!(class(Event::Typing { channel_id: ChannelId(2), user_id: &ada }), Class::Ephemeral);
    assert_eq!(class(Event::Presence { users: &[] }), Class::Ephemeral);
    assert_eq!(class(Event::ChannelDelete { channel_id: ChannelId(2) }), Class::Control);
    let entry = Entry::Void { channel_id: ChannelId(2), position: Position(4) };
    assert_eq!(codec::encode_entry(&entry).class(), Class::Entry(ChannelId(2), Position(4)));
}

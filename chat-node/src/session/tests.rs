use super::*;

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
        let welcome = Welcome {
            user: User { id: "ada".parse().unwrap(), name: "Ada".to_owned() },
            expires: client.now + Duration::from_secs(3_600),
            channels: vec![channel(1, 17), channel(2, 5)],
        };
        client.is(Input::Identified(Ok(welcome)));
        let outputs = client.outputs();
        (client, outputs)
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
            Output::Write(frame) => frame.as_str().to_owned(),
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
        name: "Official".to_owned(),
        recipient_id: None,
        head: Position(head),
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
    assert_eq!(client.written(), [r#"{"op":"heartbeat_ack"}"#]);
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
    assert_eq!(client.written(), [r#"{"op":"heartbeat_ack"}"#]);
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

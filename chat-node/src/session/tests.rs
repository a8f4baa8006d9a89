//! A client of a session, and what becomes of what it says.

mod channels;
mod commands;
mod ends;
mod requests;
mod sign_in;

use super::*;
use crate::ids::Position;
use crate::protocol::frame::ChannelView;
use crate::protocol::message::User;

struct Client {
    session: Session,
    now: Instant,
}

impl Client {
    fn greeted() -> Self {
        let now = Instant::now();
        let session = Session::new(Arc::new(Limits::default()), ServerId::new(7).unwrap(), now);
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
        let session = Session::requested(request, Arc::new(Limits::default()), ServerId::new(7).unwrap());
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

fn follow(channel: u64, after: u64) -> Output {
    Output::Follow { channel: ChannelId(channel), after: Position(after) }
}

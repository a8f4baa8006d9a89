//! Frames to text and back. A frame for many is encoded once, with all that a WebSocket needs around it; its clones share
//! the bytes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::frame::{Changed, ClientFrame, Event, Fetch, ServerFrame};
use super::message::{Change, ChangeEntry, Entry};
use crate::error::ErrorCode;
use crate::ids::{ChannelId, Position};
use crate::websocket::frame::{Frame, Opcode};

/// A frame as it goes over the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded(Arc<Content>);

#[derive(Debug, PartialEq)]
struct Content {
    class: Class,
    frame: Frame,
}

/// What a frame is worth to a client that does not read, and what it tells of the client's cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of this connection only; never dropped while it is open.
    Control,
    /// The entry of a channel at a position: who comes back with cursors gets it again.
    Entry(ChannelId, Position),
    /// As [`Self::Control`]; from here on a channel's entries come, beginning after the position.
    Begins(ChannelId, Position),
    /// As [`Self::Control`]; no more of a channel's entries come.
    Ends(ChannelId),
    /// Soon worth nothing: the first to be dropped.
    Ephemeral,
}

impl Encoded {
    /// What only the WebSocket transport has to say.
    pub fn control(frame: Frame) -> Self {
        Self::new(Class::Control, frame)
    }

    fn new(class: Class, frame: Frame) -> Self {
        Self(Arc::new(Content { class, frame }))
    }

    /// A frame of JSON. Those are plain structs with string keys: there is nothing in them that JSON cannot say.
    fn json(class: Class, value: &impl Serialize) -> Self {
        Self::new(
            class,
            Frame::new(Opcode::Text, |bytes| serde_json::to_writer(bytes, value).unwrap_or_default()),
        )
    }

    /// What the frame is worth.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// The text's length in bytes.
    pub fn len(&self) -> usize {
        self.0.frame.payload().len()
    }

    /// Never true: every frame has an `op`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // JSON is always UTF-8.
        std::str::from_utf8(self.0.frame.payload()).unwrap_or_default()
    }

    /// The bytes of the WebSocket's frame.
    pub fn bytes(&self) -> &[u8] {
        self.0.frame.bytes()
    }
}

/// A frame as text.
pub fn encode(frame: &ServerFrame<'_>) -> Encoded {
    let class = match frame {
        ServerFrame::Event(event) if event.is_ephemeral() => Class::Ephemeral,
        ServerFrame::Event(Event::ChannelCreate { channel }) => Class::Begins(channel.id, channel.head),
        ServerFrame::Event(Event::ChannelDelete { channel_id }) => Class::Ends(*channel_id),
        _ => Class::Control,
    };
    Encoded::json(class, frame)
}

/// The event that tells of an entry.
pub fn encode_entry(entry: &Entry) -> Encoded {
    let class = Class::Entry(entry.channel(), entry.position());
    Encoded::json(class, &ServerFrame::Event(event_of(entry)))
}

/// The event that tells of an entry, before it is text.
pub fn event_of(entry: &Entry) -> Event<'_> {
    match entry {
        Entry::Message(message) => Event::MessageCreate { message },
        Entry::Change(change) => change_event(change),
        Entry::Void { channel_id, position } => Event::Void { channel_id: *channel_id, position: *position },
    }
}

/// The answer to a fetch: as many of the entries as there is room for in `bytes`, but at least the first.
pub fn encode_fill(fetch: Fetch, entries: &[Entry], bytes: usize) -> Encoded {
    let (channel, after) = (fetch.channel_id, fetch.after);
    let mut text = format!(r#"{{"op":"fill","channel_id":"{channel}","after":"{after}","entries":["#);
    for (number, entry) in entries.iter().enumerate() {
        let event = serde_json::to_string(&event_of(entry)).unwrap_or_default();
        if number > 0 {
            if text.len() + event.len() > bytes {
                break;
            }
            text.push(',');
        }
        text.push_str(&event);
    }
    text.push_str("]}");
    Encoded::new(Class::Control, Frame::new(Opcode::Text, |bytes| bytes.extend(text.as_bytes())))
}

fn change_event(entry: &ChangeEntry) -> Event<'_> {
    let change = Changed { channel_id: entry.channel_id, position: entry.position, by: &entry.by };
    match &entry.change {
        Change::Edit { message_id, content, mentions, mention_everyone, embeds } => Event::MessageUpdate {
            change,
            message_id: *message_id,
            content,
            edited_ms: entry.timestamp_ms,
            mentions,
            mention_everyone: *mention_everyone,
            embeds,
        },
        Change::Delete { message_id } => Event::MessageDelete { change, message_id: *message_id },
        Change::React { message_id, emoji, on } => {
            Event::Reaction { change, message_id: *message_id, emoji, on: *on }
        }
        Change::Pin { message_id, pinned } => Event::Pin { change, message_id: *message_id, pinned: *pinned },
        Change::Settings(settings) => Event::ChannelUpdate { change, settings },
    }
}

/// Why a text is not a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// The frame that a text holds.
///
/// # Errors
/// [`ErrorCode::UnknownOp`] or [`ErrorCode::Malformed`], with a message that says what was expected.
pub fn decode(text: &str) -> Result<ClientFrame, DecodeError> {
    serde_json::from_str(text).map_err(|error| explain(text, &error))
}

#[derive(Deserialize)]
struct OpOnly {
    op: String,
}

fn explain(text: &str, error: &serde_json::Error) -> DecodeError {
    match serde_json::from_str::<OpOnly>(text) {
        Ok(OpOnly { op }) if !ClientFrame::OPS.contains(&op.as_str()) => {
            let shown: String = op.chars().take(32).collect();
            let known = ClientFrame::OPS.join("`, `");
            let message = format!("`{shown}` is no op; there are `{known}`");
            DecodeError { code: ErrorCode::UnknownOp, message }
        }
        _ => {
            DecodeError { code: ErrorCode::Malformed, message: format!("the frame cannot be read: {error}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccessVersion, MessageId};
    use crate::protocol::frame::{Draft, Refusal};
    use crate::protocol::message::{ChannelSettings, Composed, Message, Place, User};

    fn ada() -> User {
        User { id: "ada".parse().unwrap(), name: "Ada".to_owned() }
    }

    fn place(id: u64, position: u64) -> Place {
        let (id, position, access) = (MessageId(id), Position(position), AccessVersion(3));
        Place { id, channel_id: ChannelId::OFFICIAL, position, access }
    }

    #[test]
    fn frames_of_the_server_have_the_documented_form() {
        let composed = Composed { content: "hi".to_owned(), ..Composed::default() };
        let message =
            Message { timestamp_ms: 5, ..Message::new(place(77, 18), ada(), "n-1".to_owned(), composed) };
        assert_eq!(
            encode_entry(&Entry::Message(message)).as_str(),
            r#"{"op":"event","type":"message_create","message":{"id":"77","channel_id":"1","position":"18","author":{"id":"ada","name":"Ada"},"content":"hi","nonce":"n-1","timestamp_ms":5}}"#
        );
        assert_eq!(
            encode_entry(&Entry::Void { channel_id: ChannelId(1), position: Position(19) }).as_str(),
            r#"{"op":"event","type":"void","channel_id":"1","position":"19"}"#
        );
        let refusal = Refusal {
            code: ErrorCode::RateLimited,
            message: "slow down",
            nonce: Some("n-1"),
            retry_after_ms: Some(5),
        };
        assert_eq!(
            encode(&ServerFrame::Error(refusal)).as_str(),
            r#"{"op":"error","code":"rate_limited","message":"slow down","nonce":"n-1","retry_after_ms":5}"#
        );
        let hello =
            ServerFrame::Hello { heartbeat_ms: 30_000, server_id: crate::ids::ServerId::new(7).unwrap() };
        assert_eq!(encode(&hello).as_str(), r#"{"op":"hello","heartbeat_ms":30000,"server_id":7}"#);
    }

    #[test]
    fn changes_name_their_channel_position_author_and_what_changed() {
        let id = MessageId(77);
        let edit = Change::Edit {
            message_id: id,
            content: "ho".to_owned(),
            mentions: vec!["bob".parse().unwrap()],
            mention_everyone: false,
            embeds: Vec::new(),
        };
        let settings = ChannelSettings { name: "General".to_owned(), ..ChannelSettings::default() };
        let expected = [
            (
                edit,
                r#""message_update",BY,"message_id":"77","content":"ho","edited_ms":5,"mentions":["bob"]"#,
            ),
            (Change::Delete { message_id: id }, r#""message_delete",BY,"message_id":"77""#),
            (
                Change::React { message_id: id, emoji: "👍".parse().unwrap(), on: true },
                r#""reaction",BY,"message_id":"77","emoji":"👍","on":true"#,
            ),
            (Change::Pin { message_id: id, pinned: true }, r#""pin",BY,"message_id":"77","pinned":true"#),
            (Change::Settings(settings), r#""channel_update",BY,"name":"General""#),
        ];
        let by = r#""channel_id":"1","position":"19","by":{"id":"ada","name":"Ada"}"#;
        for (change, fields) in expected {
            let Place { id, channel_id, position, access } = place(78, 19);
            let entry = ChangeEntry { id, channel_id, position, access, by: ada(), timestamp_ms: 5, change };
            let text = format!(r#"{{"op":"event","type":{}}}"#, fields.replace("BY", by));
            assert_eq!(encode_entry(&Entry::Change(entry)).as_str(), text);
        }
    }

    #[test]
    fn frames_of_a_client_are_read() {
        let identify = decode(r#"{"op":"identify","token":"t","cursors":{"1":"17"}}"#).unwrap();
        let ClientFrame::Identify(identify) = identify else { panic!("{identify:?}") };
        assert_eq!(identify.cursors.get(&ChannelId(1)), Some(&Position(17)));
        assert!(!format!("{identify:?}").contains("\"t\""));

        let hi = Composed { content: "hi".to_owned(), ..Composed::default() };
        let send = decode(r#"{"op":"send","channel_id":"1","nonce":"n","content":"hi"}"#).unwrap();
        let draft = Draft { channel_id: ChannelId(1), nonce: "n".to_owned(), composed: hi };
        assert_eq!(send, ClientFrame::Send(draft));
        assert_eq!(decode(r#"{"op":"heartbeat"}"#).unwrap(), ClientFrame::Heartbeat);
    }

    #[test]
    fn an_unknown_op_is_named_and_bad_fields_are_explained() {
        let error = decode(r#"{"op":"dance"}"#).unwrap_err();
        assert_eq!(error.code, ErrorCode::UnknownOp);
        assert!(error.message.contains("`dance`") && error.message.contains("`send`"), "{error:?}");

        for text in ["", "{", "[]", r#"{"op":1}"#, r#"{"op":"send"}"#, r#"{"op":"send","channel_id":1}"#] {
            let error = decode(text).unwrap_err();
            assert_eq!(error.code, ErrorCode::Malformed, "{text}");
        }
    }

    #[test]
    fn frames_say_whether_they_may_be_dropped_and_how_they_move_cursors() {
        let ada = "ada".parse().unwrap();
        let class = |event| encode(&ServerFrame::Event(event)).class();
        assert_eq!(class(Event::Typing { channel_id: ChannelId(2), user_id: &ada }), Class::Ephemeral);
        assert_eq!(class(Event::Presence { users: &[] }), Class::Ephemeral);
        let channel = r#"{"id":"2","kind":"direct","name":"Ada","head":"3"}"#;
        let channel = &serde_json::from_str(channel).unwrap();
        assert_eq!(class(Event::ChannelCreate { channel }), Class::Begins(ChannelId(2), Position(3)));
        assert_eq!(class(Event::ChannelDelete { channel_id: ChannelId(2) }), Class::Ends(ChannelId(2)));
        let entry = Entry::Void { channel_id: ChannelId(2), position: Position(4) };
        assert_eq!(encode_entry(&entry).class(), Class::Entry(ChannelId(2), Position(4)));
    }
}

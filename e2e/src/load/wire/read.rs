//! From text to frames.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::Deserialize;

use super::{FromServer, Head, Refusal};
use crate::load::cast::UserNumber;
use crate::load::ledger::Place;
use crate::load::message::Run;
use crate::load::oracle::{Arrived, Content, Entry};

/// A frame that the protocol does not have.
#[derive(Debug, thiserror::Error)]
#[error("the server says what the protocol does not have ({reason}): {text}")]
pub struct NotUnderstood {
    reason: String,
    text: String,
}

/// How the messages of a server begin, as it writes them; others are understood too, more slowly.
const MESSAGE_CREATE: &[u8] = br#"{"op":"event","type":"message_create","#;

#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    id: &'a str,
    channel_id: &'a str,
    position: &'a str,
    #[serde(borrow)]
    author: Author<'a>,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    nonce: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Author<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
struct Op<'a> {
    op: &'a str,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    channel_id: Option<&'a str>,
    position: Option<&'a str>,
    #[serde(borrow)]
    channel: Option<Channel<'a>>,
}

#[derive(Deserialize)]
struct Channel<'a> {
    id: &'a str,
    #[serde(default = "zero")]
    head: &'a str,
}

fn zero() -> &'static str {
    "0"
}

#[derive(Deserialize)]
struct Hello {
    heartbeat_ms: u64,
    server_id: u16,
}

#[derive(Deserialize)]
struct Ready<'a> {
    #[serde(borrow)]
    channels: Vec<Channel<'a>>,
}

#[derive(Deserialize)]
struct Ack<'a> {
    #[serde(borrow)]
    nonce: Cow<'a, str>,
    id: &'a str,
    position: &'a str,
}

#[derive(Deserialize)]
struct HeartbeatAck<'a> {
    #[serde(borrow, default)]
    heads: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Reconnect {
    delay_ms: u64,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    message: String,
    nonce: Option<String>,
    retry_after_ms: Option<u64>,
}

/// Tells messages apart, as they arrive and as they are kept.
pub fn digest(id: u64, author: &str, (nonce, content): (&str, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    (id, author, nonce, content).hash(&mut hasher);
    hasher.finish()
}

/// The frame that a text holds.
pub fn read(run: &Run, text: &[u8]) -> Result<FromServer, NotUnderstood> {
    let understood = if text.starts_with(MESSAGE_CREATE) {
        from::<Created<'_>>(text).and_then(|created| entry(run, &created.message))
    } else {
        from::<Op<'_>>(text).and_then(|op| by_op(run, op.op, text))
    };
    understood.map_err(|reason| NotUnderstood { reason, text: String::from_utf8_lossy(text).into_owned() })
}

fn by_op(run: &Run, op: &str, text: &[u8]) -> Result<FromServer, String> {
    Ok(match op {
        "event" => return event(run, &from(text)?),
        "ack" => {
            let Ack { nonce, id, position } = from(text)?;
            let place = Place { id: number(id)?, position: number(position)? };
            run.number(&nonce).map_or(FromServer::Other, |number| FromServer::Ack(number, place))
        }
        "hello" => {
            let Hello { heartbeat_ms, server_id } = from(text)?;
            FromServer::Hello { heartbeat: Duration::from_millis(heartbeat_ms), server: server_id }
        }
        "ready" => {
            FromServer::Ready(from::<Ready<'_>>(text)?.channels.iter().map(head).collect::<Result<_, _>>()?)
        }
        "heartbeat_ack" => {
            let heads = from::<HeartbeatAck<'_>>(text)?.heads;
            let heads = heads.iter().map(|(id, head)| self::head(&Channel { id, head }));
            FromServer::HeartbeatAck(heads.collect::<Result<_, _>>()?)
        }
        "reconnect" => FromServer::Reconnect(Duration::from_millis(from::<Reconnect>(text)?.delay_ms)),
        "error" => {
            let Refused { code, message, nonce, retry_after_ms } = from(text)?;
            FromServer::Refused(Refusal {
                code,
                message,
                number: nonce.and_then(|nonce| run.number(&nonce)),
                retry_after: retry_after_ms.map(Duration::from_millis),
            })
        }
        "fill" => FromServer::Other,
        _ => return Err(format!("`{op}`")),
    })
}

fn event(run: &Run, event: &Event<'_>) -> Result<FromServer, String> {
    let content = match event.kind {
        "message_create" => return entry(run, event.message.as_ref().ok_or("no message")?),
        "channel_create" => {
            return Ok(FromServer::Begins(head(event.channel.as_ref().ok_or("no channel")?)?));
        }
        "typing" => return Ok(FromServer::Typing),
        "read" | "presence" | "channel_delete" => return Ok(FromServer::Other),
        "void" => Content::Void,
        "message_update" | "message_delete" | "reaction" | "pin" | "channel_update" => Content::Change,
        kind => return Err(format!("the event `{kind}`")),
    };
    let channel = number(event.channel_id.ok_or("no channel")?)?;
    let position = number(event.position.ok_or("no position")?)?;
    Ok(FromServer::Entry(channel, Entry { position, content }))
}

fn entry(run: &Run, message: &Message<'_>) -> Result<FromServer, String> {
    let Message { id, channel_id, position, author, content, nonce } = message;
    let id = number(id)?;
    let which = run.number(nonce);
    let arrived = Arrived {
        id,
        digest: digest(id, author.id, (nonce, content)),
        number: which,
        author: run.user_number(author.id).map(UserNumber),
        as_written: which.is_some_and(|which| run.content(which) == *content),
    };
    let entry = Entry { position: number(position)?, content: Content::Message(arrived) };
    Ok(FromServer::Entry(number(channel_id)?, entry))
}

fn head(channel: &Channel<'_>) -> Result<Head, String> {
    Ok(Head { channel: number(channel.id)?, position: number(channel.head)? })
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn from<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

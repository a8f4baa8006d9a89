//! The frames on `/gateway`: JSON text, one object a frame; ids and positions are strings. Written down here a second
//! time on purpose: a change of the server's own types must not go unnoticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a client says.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ToServer<'a> {
    /// Signs in; with the last seen position of each channel, what came after is sent before anything live.
    Identify { token: &'a str, cursors: BTreeMap<&'a str, String> },
    /// Writes a message.
    Send { channel_id: &'a str, nonce: &'a str, content: &'a str },
    /// Shows that the client lives.
    Heartbeat,
}

/// What a server says.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum FromServer {
    /// First frame of a connection.
    Hello { heartbeat_ms: u64, server_id: u16 },
    /// The user is signed in.
    Ready { server_id: u16, channels: Vec<Channel> },
    /// A message is stored.
    Ack { nonce: String, id: String, position: String },
    /// Something happened in a channel.
    Event(Event),
    /// The heartbeat was heard; the last position of each channel that was sent to its end.
    HeartbeatAck {
        #[serde(default)]
        heads: BTreeMap<String, String>,
    },
    /// The client should close and come back after the delay.
    Reconnect { delay_ms: u64 },
    /// Something was refused.
    Error { code: String, message: String, nonce: Option<String>, retry_after_ms: Option<u64> },
}

/// What happened in a channel.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A message was written.
    MessageCreate { message: Message },
    /// A position that holds nothing.
    Void { channel_id: String, position: String },
    /// The user has a new channel.
    ChannelCreate { channel: Channel },
}

/// A channel as listed.
#[derive(Debug, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Its last position.
    #[serde(default)]
    pub head: String,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its channel.
    pub channel_id: String,
    /// Its position in the channel.
    pub position: String,
    /// Who wrote it.
    pub author: Author,
    /// The text.
    pub content: String,
    /// The author's own key.
    pub nonce: String,
    /// When it was stored, in ms since the Unix epoch.
    pub timestamp_ms: u64,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Author {
    /// User id.
    pub id: String,
    /// Shown name.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_both_directions_have_the_documented_form() {
        let cursors = BTreeMap::from([("1", "17".to_owned())]);
        let identify = serde_json::to_value(ToServer::Identify { token: "t", cursors }).unwrap();
        assert_eq!(identify, serde_json::json!({"op": "identify", "token": "t", "cursors": {"1": "17"}}));
        let heartbeat = serde_json::to_string(&ToServer::Heartbeat).unwrap();
        assert_eq!(heartbeat, r#"{"op":"heartbeat"}"#);
        let void = r#"{"op":"event","type":"void","channel_id":"1","position":"19"}"#;
        let frame: FromServer = serde_json::from_str(void).unwrap();
        assert!(matches!(frame, FromServer::Event(Event::Void { position, .. }) if position == "19"));
    }
}

//! A client of the gateway over `tokio-websockets`.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

use super::cluster::TestNode;

/// How long a frame may take to come.
const WITHIN: Duration = Duration::from_secs(10);

/// The close code that a connection ended with.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed(pub u16);

pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub ready: Value,
    /// Frames that came while another was waited for.
    earlier: VecDeque<Value>,
}

impl Client {
    /// A connection that has only been greeted.
    pub async fn connect(node: &TestNode) -> Self {
        let uri = format!("ws://{}/gateway", node.address).parse().unwrap();
        let (socket, _) = ClientBuilder::from_uri(uri).connect().await.unwrap();
        let mut client = Self { socket, ready: Value::Null, earlier: VecDeque::new() };
        client.next("hello").await;
        client
    }

    /// A connection that is signed in.
    pub async fn ready(node: &TestNode, user: &str) -> Self {
        Self::resumed(node, user, json!({})).await
    }

    /// A connection that is signed in with cursors.
    pub async fn resumed(node: &TestNode, user: &str, cursors: Value) -> Self {
        let mut client = Self::connect(node).await;
        client.say(&json!({"op": "identify", "token": node.token(user), "cursors": cursors})).await;
        client.ready = client.next("ready").await;
        client
    }

    pub async fn say(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub async fn say_binary(&mut self, bytes: &'static [u8]) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    pub async fn send(&mut self, channel: &str, nonce: &str, content: &str) {
        self.say(&json!({"op": "send", "channel_id": channel, "nonce": nonce, "content": content})).await;
    }

    /// The next frame with this `op`; others wait for their turn.
    pub async fn next(&mut self, op: &str) -> Value {
        if let Some(at) = self.earlier.iter().position(|frame| frame["op"] == op) {
            return self.earlier.remove(at).unwrap();
        }
        loop {
            let frame = self.frame().await.unwrap_or_else(|closed| panic!("no `{op}`: {closed:?}"));
            if frame["op"] == op {
                return frame;
            }
            assert!(frame["op"] != "error", "no `{op}` but {frame}");
            self.earlier.push_back(frame);
        }
    }

    /// The next refusal; other frames are passed over.
    pub async fn error(&mut self) -> Value {
        loop {
            let frame = self.frame().await.unwrap_or_else(|closed| panic!("no `error`: {closed:?}"));
            if frame["op"] == "error" {
                return frame;
            }
        }
    }

    /// The next message; other frames are passed over.
    pub async fn message(&mut self) -> Value {
        loop {
            let event = self.next("event").await;
            if event["type"] == "message_create" {
                return event["message"].clone();
            }
        }
    }

    /// Waits for the close.
    pub async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.frame().await {
                return closed;
            }
        }
    }

    /// The next frame of all.
    pub async fn frame(&mut self) -> Result<Value, Closed> {
        loop {
            let next = tokio::time::timeout(WITHIN, self.socket.next()).await;
            let message = match next.expect("nothing came") {
                Some(Ok(message)) => message,
                Some(Err(_)) | None => return Err(Closed(0)),
            };
            if let Some((code, _)) = message.as_close() {
                return Err(Closed(code.into()));
            }
            if let Some(text) = message.as_text() {
                return Ok(serde_json::from_str(text).unwrap());
            }
        }
    }
}

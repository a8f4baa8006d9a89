//! Clients that have no connection of their own: one that polls, one that reads a stream of events.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cluster::TestNode;
use super::http;

/// How long something may take to come.
const WITHIN: Duration = Duration::from_secs(10);

/// A client that polls whichever node it is told to.
pub struct Poller {
    token: String,
    pub cursors: String,
}

impl Poller {
    /// A client that has polled once.
    pub async fn ready(node: &TestNode, user: &str) -> Self {
        let mut poller = Self { token: node.token(user), cursors: String::new() };
        let frames = poller.poll(node, 5).await;
        assert_eq!(frames[0]["op"], "ready", "{frames:?}");
        poller
    }

    pub async fn poll(&mut self, node: &TestNode, wait: u64) -> Vec<Value> {
        self.poll_at(node.address, wait).await
    }

    pub async fn poll_at(&mut self, address: SocketAddr, wait: u64) -> Vec<Value> {
        let line = format!("GET /api/v1/poll?cursors={}&wait={wait}", self.cursors);
        let asking = http::request(address, &line, (Some(&self.token), ""));
        let answer = tokio::time::timeout(WITHIN, asking).await.expect("no answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        self.cursors = body["cursors"].as_str().unwrap().to_owned();
        body["frames"].as_array().unwrap().clone()
    }
}

/// The contents of the messages among frames.
pub fn contents(frames: &[Value]) -> Vec<String> {
    let messages = frames.iter().filter(|frame| frame["type"] == "message_create");
    messages.map(|frame| frame["message"]["content"].as_str().unwrap().to_owned()).collect()
}

/// One event of a stream.
#[derive(Debug, Default)]
pub struct ServerEvent {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

/// A stream of events, read by hand.
pub struct EventStream {
    socket: TcpStream,
    unread: String,
    pub head: String,
    pub last_id: String,
}

impl EventStream {
    /// A stream that goes on from `last_id`, if it is not empty. HTTP/1.0, so that the body comes as it is.
    pub async fn open(node: &TestNode, user: &str, last_id: &str) -> Self {
        let resume = if last_id.is_empty() { String::new() } else { format!("last-event-id: {last_id}\r\n") };
        let token = node.token(user);
        let request = format!("GET /api/v1/events HTTP/1.0\r\nauthorization: Bearer {token}\r\n{resume}\r\n");
        let mut socket = TcpStream::connect(node.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let (unread, last_id) = (String::new(), last_id.to_owned());
        let mut stream = Self { socket, unread, head: String::new(), last_id };
        stream.head = stream.until("\r\n\r\n").await.expect("no head").to_lowercase();
        stream
    }

    /// The next event; `None`: the stream has ended. Comments are passed over.
    pub async fn next(&mut self) -> Option<ServerEvent> {
        loop {
            let text = self.until("\n\n").await?;
            let mut event = ServerEvent::default();
            for line in text.lines() {
                match line.split_once(": ") {
                    Some(("event", name)) => event.name = name.to_owned(),
                    Some(("id", id)) => event.id = Some(id.to_owned()),
                    Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                    _ => assert_eq!(line, ":"),
                }
            }
            if let Some(id) = &event.id {
                self.last_id.clone_from(id);
            }
            if !event.data.is_null() {
                return Some(event);
            }
        }
    }

    /// Frames until there are so many messages; their contents.
    pub async fn messages(&mut self, count: usize) -> Vec<String> {
        let mut seen = Vec::new();
        while seen.len() < count {
            let event = self.next().await.expect("the stream ended");
            seen.extend(contents(event.data.as_array().map_or(&[], Vec::as_slice)));
        }
        seen
    }

    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.unread.find(end) {
                let rest = self.unread.split_off(at + end.len());
                let mut text = std::mem::replace(&mut self.unread, rest);
                text.truncate(at);
                return Some(text);
            }
            let mut bytes = vec![0; 64 * 1024];
            let read = tokio::time::timeout(WITHIN, self.socket.read(&mut bytes)).await;
            match read.expect("nothing came") {
                Ok(0) | Err(_) => return None,
                // A character may be cut in two only if it is not ASCII; these tests have none.
                Ok(count) => self.unread.push_str(std::str::from_utf8(&bytes[..count]).unwrap()),
            }
        }
    }
}

/// A connection for one request after another.
pub struct Kept {
    socket: TcpStream,
    token: String,
}

impl Kept {
    pub async fn open(node: &TestNode) -> Self {
        let socket = TcpStream::connect(node.address).await.unwrap();
        Self { socket, token: node.token("ada") }
    }

    /// The status of the answer, which must be a short one; `None`: the connection has ended.
    pub async fn status(&mut self, line: &str) -> Option<u16> {
        let request =
            format!("{line} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {}\r\n\r\n", self.token);
        self.socket.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = vec![0; 16 * 1024];
        let read = tokio::time::timeout(WITHIN, self.socket.read(&mut bytes)).await.expect("no answer");
        let text = String::from_utf8_lossy(&bytes[..read.ok()?]).into_owned();
        text.split(' ').nth(1)?.parse().ok()
    }
}

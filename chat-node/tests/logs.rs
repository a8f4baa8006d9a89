//! What is in the log, and what never is.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use chat_node::logs;
use serde_json::{Value, json};
use support::client::Client;
use support::cluster::TestNode;
use support::http::exchange;
use tracing_subscriber::fmt::MakeWriter;

/// In everything that must not be in a log.
const MARKER: &str = "zq7marker";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines that belong to this trace.
    fn of_trace(&self, trace: &str) -> Vec<Value> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["span"]["trace_id"] == trace).collect()
    }
}

/// One test, as there is one log.
#[tokio::test]
async fn lines_of_a_request_name_server_and_trace_and_none_holds_a_token_or_a_message() {
    let log = Captured::default();
    let filter = logs::filter("info,chat_node=trace").unwrap();
    tracing::subscriber::set_global_default(logs::for_machines(filter, log.clone())).unwrap();
    let node = TestNode::alone().await;

    over_a_websocket(&node).await;
    let trace = over_rest(&node).await;

    let lines = log.of_trace(&trace);
    assert!(!lines.is_empty(), "{}", log.text());
    for line in lines {
        assert!(line["span"]["server_id"].is_u64() && line["span"]["path"] == "/api/v1/users/@me", "{line}");
    }
    let text = log.text();
    let signed_in = text.lines().find(|line| line.contains("signed in")).unwrap();
    assert!(signed_in.contains("trace_id") && signed_in.contains("server_id"), "{signed_in}");
    for secret in [MARKER, signature(&node.token("ada")).as_str()] {
        let leak = text.lines().find(|line| line.contains(secret));
        assert_eq!(leak, None, "{secret}");
    }
}

async fn over_a_websocket(node: &TestNode) {
    let mut ada = Client::ready(node, "ada").await;
    ada.send("1", "n-1", MARKER).await;
    assert_eq!(ada.message().await["content"], MARKER);
    ada.next("ack").await;
    for bad in [
        json!({"op": "send", "channel_id": 1, "content": MARKER}),
        json!({"op": MARKER}),
        json!({"op": "send", "channel_id": "77", "nonce": "n-2", "content": MARKER}),
        json!({"op": "send", "channel_id": "1", "nonce": MARKER.repeat(99), "content": "x"}),
    ] {
        ada.say(&bad).await;
        ada.error().await;
    }
    let mut eve = Client::connect(node).await;
    eve.say(&json!({"op": "identify", "token": format!("a.{MARKER}.c")})).await;
    eve.closed().await;
}

async fn over_rest(node: &TestNode) -> String {
    let bearer = format!("authorization: Bearer {}\r\n", node.token("ada"));
    let messages = "/api/v1/channels/1/messages";
    let body = json!({"nonce": "n-3", "content": MARKER}).to_string();
    let sent = exchange(node.address, &format!("POST {messages} HTTP/1.1\r\n{bearer}"), &body).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    let listed = exchange(node.address, &format!("GET {messages} HTTP/1.1\r\n{bearer}"), "").await;
    assert!(listed.body.contains(MARKER));
    for head in [
        format!("POST {messages} HTTP/1.1\r\n{bearer}"),
        format!("GET {messages}?before={MARKER} HTTP/1.1\r\n{bearer}"),
        format!("GET {messages}?token={MARKER} HTTP/1.1\r\nauthorization: Bearer {MARKER}\r\n"),
        format!("GET {messages} HTTP/1.1\r\nauthorization: {MARKER}\r\ntraceparent: {MARKER}\r\n"),
    ] {
        exchange(node.address, &head, MARKER).await;
    }
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let me = exchange(node.address, &format!("GET /api/v1/users/@me HTTP/1.1\r\n{bearer}{traced}"), "").await;
    assert_eq!(me.status, 200, "{me:?}");
    trace.to_owned()
}

fn signature(token: &str) -> String {
    token.rsplit_once('.').unwrap().1.to_owned()
}

//! What surrounds requests, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use support::cluster::TestNode;
use support::http::{Answer, exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(50);

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.headers.contains("content-type: application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
    assert!(
        !problem["detail"].as_str().unwrap().is_empty() && !problem["title"].as_str().unwrap().is_empty()
    );
}

/// Whether the server ends a connection on which this much was said.
async fn is_closed_after(address: SocketAddr, said: &str) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answers)).await.is_ok()
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let node = TestNode::alone().await;
    let token = node.token("ada");
    let bearer = format!("authorization: Bearer {token}\r\n");
    for (head, body, status, code) in [
        ("GET /nowhere HTTP/1.1", String::new(), 404, "not_found"),
        ("DELETE /api/v1/users/@me HTTP/1.1", String::new(), 405, "method_not_allowed"),
        ("PUT /gateway HTTP/1.1", String::new(), 405, "method_not_allowed"),
        ("GET /gateway HTTP/1.1", String::new(), 400, "malformed"),
        ("GET /api/v1/channels/one/messages HTTP/1.1", String::new(), 400, "malformed"),
        ("GET /api/v1/channels/1/messages?limit=many HTTP/1.1", String::new(), 400, "malformed"),
        ("GET /api/v1/channels/1/messages?before=x HTTP/1.1", String::new(), 400, "malformed"),
        ("GET /api/v1/channels/77/messages HTTP/1.1", String::new(), 404, "unknown_channel"),
        ("POST /api/v1/users/@me/channels HTTP/1.1", "{".to_owned(), 400, "malformed"),
        ("POST /api/v1/users/@me/channels HTTP/1.1", "x".repeat(20_000), 413, "too_large"),
    ] {
        let answer = exchange(node.address, &format!("{head}\r\n{bearer}"), &body).await;
        assert_problem(&answer, status, code);
    }
    let typed = format!("POST /api/v1/users/@me/channels HTTP/1.1\r\n{bearer}content-type: text/plain\r\n");
    assert_problem(&exchange(node.address, &typed, "{}").await, 415, "unsupported_media_type");
    assert_problem(
        &exchange(node.address, "GET /api/v1/users/@me HTTP/1.1\r\n", "").await,
        401,
        "unauthorized",
    );
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let node = TestNode::alone().await;
    let answer = exchange(node.address, "DELETE /api/v1/users/@me HTTP/1.1\r\n", "").await;
    assert!(answer.headers.contains("allow: get"), "{answer:?}");
}

#[tokio::test]
async fn answers_carry_the_server_and_the_trace_of_the_request() {
    let node = TestNode::alone().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let head = format!("GET /nowhere HTTP/1.1\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let answer = exchange(node.address, &head, "").await;
    assert!(answer.headers.contains(&format!("x-vibetalk-trace: {trace}")), "{answer:?}");
    assert!(answer.headers.contains("x-vibetalk-server: "), "{answer:?}");

    let made = exchange(node.address, "GET / HTTP/1.1\r\ntraceparent: mine\r\n", "").await;
    let trace = made.headers.lines().find_map(|line| line.strip_prefix("x-vibetalk-trace: ")).unwrap();
    assert!(trace.len() == 32 && trace != "0".repeat(32), "{made:?}");
}

#[tokio::test]
async fn a_user_who_asks_too_often_is_told_to_wait_and_others_are_not() {
    let node = TestNode::with_limits(|limits| limits.requests_per_minute_user = 2).await;
    for status in [200, 200, 429] {
        assert_eq!(node.get("/api/v1/users/@me", "ada").await.status, status);
    }
    let refused = node.get("/api/v1/users/@me", "ada").await;
    assert_problem(&refused, 429, "rate_limited");
    assert!(refused.headers.contains("retry-after: ") && refused.json()["retry_after_ms"].as_u64() > Some(0));
    assert_eq!(node.get("/api/v1/users/@me", "bob").await.status, 200);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_refused_before_its_token_is_looked_at() {
    let node = TestNode::with_limits(|limits| limits.requests_per_minute_address = 2).await;
    for status in [401, 401, 429] {
        assert_eq!(node.get_with_token("/api/v1/users/@me", "none").await.status, status);
    }
    let metrics = node.admin("/metrics").await.body;
    assert!(metrics.contains(r#"vibetalk_requests_refused_total{code="rate_limited"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_request_whose_body_does_not_come_ends() {
    let node = TestNode::with_limits(|limits| limits.request = SHORT).await;
    let token = node.token("ada");
    let head =
        format!("POST /api/v1/users/@me/channels HTTP/1.1\r\nauthorization: Bearer {token}\r\nhost: x\r\n");
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream
        .write_all(format!("{head}connection: close\r\ncontent-length: 9\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_problem(&Answer::parse(&answer), 504, "timeout");
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed_on_both_ports() {
    let node = TestNode::with_limits(|limits| limits.first_request = SHORT).await;
    for address in [node.address, node.admin_address] {
        assert!(is_closed_after(address, "").await);
        assert!(is_closed_after(address, "GET / HTTP/1.1\r\nhost: x\r\nslow: ").await);
    }
}

#[tokio::test]
async fn an_idle_connection_and_a_head_that_never_ends_are_closed_on_both_ports() {
    let node = TestNode::with_limits(|limits| limits.keep_alive = SHORT).await;
    for address in [node.address, node.admin_address] {
        assert!(is_closed_after(address, "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await);
        assert!(is_closed_after(address, "GET / HTTP/1.1\r\nhost: x\r\nslow: ").await);
    }
}

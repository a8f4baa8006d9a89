//! Long-polling and server-sent events over real sockets, on one node and from node to node.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::Client;
use support::cluster::{Cluster, TestNode};
use support::requests::{EventStream, Kept, Poller, contents};

#[tokio::test]
async fn a_client_that_polls_node_after_node_gets_every_message_once_in_order() {
    let cluster = Cluster::default();
    let nodes = [cluster.node("one").await, cluster.node("two").await];
    let mut bob = Poller::ready(&nodes[0], "bob").await;
    let sending = async {
        let mut ada = Client::ready(&nodes[1], "ada").await;
        for number in 0..100 {
            ada.send("1", &format!("n-{number}"), &number.to_string()).await;
            ada.next("ack").await;
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let polling = async {
        let (mut seen, mut polls) = (Vec::new(), 0);
        while seen.len() < 100 {
            seen.extend(contents(&bob.poll(&nodes[polls % 2], 5).await));
            polls += 1;
        }
        (seen, polls)
    };
    let ((), (seen, polls)) = tokio::join!(sending, polling);
    assert_eq!(seen, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(polls > 1, "one poll took it all");
    assert_eq!(bob.poll(&nodes[0], 0).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_poll_is_held_until_a_message_comes_or_its_wait_is_over() {
    let node = TestNode::alone().await;
    let mut bob = Poller::ready(&node, "bob").await;
    assert_eq!(bob.cursors, "1:0");
    let began = Instant::now();
    assert_eq!(bob.poll(&node, 1).await, Vec::<Value>::new());
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(bob.cursors, "1:0");

    let (frames, sent) = tokio::join!(bob.poll(&node, 50), async {
        while node.connections().await == 0 {
            tokio::task::yield_now().await;
        }
        node.post("/api/v1/channels/1/messages", "ada", &json!({"nonce": "n", "content": "hi"})).await
    });
    assert_eq!(contents(&frames), ["hi"]);
    assert_eq!(sent.json()["position"], "1");
    assert_eq!(bob.cursors, "1:1");
}

#[tokio::test]
async fn a_backlog_larger_than_an_answer_comes_in_several() {
    let node = TestNode::with_limits(|limits| {
        limits.poll_bytes = 16 * 1024;
        limits.commands_per_minute = 10_000;
    })
    .await;
    let mut bob = Poller::ready(&node, "bob").await;
    let mut ada = Client::ready(&node, "ada").await;
    let content = "x".repeat(1_000);
    for number in 0..100 {
        ada.send("1", &format!("n-{number}"), &content).await;
        ada.next("ack").await;
    }
    let mut seen = Vec::new();
    while seen.len() < 100 {
        let frames = bob.poll(&node, 5).await;
        assert!(frames.len() < 60, "{} frames at once", frames.len());
        seen.extend(frames.into_iter().map(|frame| frame["message"]["position"].clone()));
    }
    assert_eq!(seen, (1..=100).map(|position| json!(position.to_string())).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_polls_is_told_of_channels_that_came_between_and_gets_what_follows() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let mut bob = Poller::ready(&one, "bob").await;
    let opened = two.post("/api/v1/users/@me/channels", "ada", &json!({"recipient_id": "bob"})).await;
    let channel = opened.json()["id"].as_str().unwrap().to_owned();
    let frames = bob.poll(&one, 5).await;
    assert_eq!(frames[0]["channel"]["id"], channel.as_str(), "{frames:?}");
    assert!(bob.cursors.contains(&channel), "{}", bob.cursors);

    let path = format!("/api/v1/channels/{channel}/messages");
    two.post(&path, "ada", &json!({"nonce": "n", "content": "psst"})).await;
    assert_eq!(contents(&bob.poll(&two, 5).await), ["psst"]);
    // A cursor of a channel that is none of the user's is taken back.
    bob.cursors.push_str(",77:5");
    let frames = bob.poll(&two, 5).await;
    assert_eq!((&frames[0]["type"], &frames[0]["channel_id"]), (&json!("channel_delete"), &json!("77")));
    assert!(!bob.cursors.contains("77:"), "{}", bob.cursors);
}

#[tokio::test]
async fn a_message_sent_by_request_is_one_however_often_it_is_sent() {
    let node = TestNode::alone().await;
    let path = "/api/v1/channels/1/messages";
    let message = json!({"nonce": "n", "content": "hi"});
    let first = node.post(path, "ada", &message).await;
    assert_eq!((first.status, &first.json()["nonce"]), (201, &json!("n")));
    assert_eq!(node.post(path, "ada", &message).await.json(), first.json());
    for (body, code) in [
        (json!({"nonce": "n", "content": " "}), "invalid_content"),
        (json!({"nonce": "", "content": "hi"}), "invalid_nonce"),
        (json!({"content": "hi"}), "malformed"),
    ] {
        let refused = node.post(path, "ada", &body).await;
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(code)));
    }
    let nowhere = node.post("/api/v1/channels/77/messages", "ada", &message).await;
    assert_eq!(nowhere.json()["code"], "unknown_channel");
}

#[tokio::test]
async fn a_stream_resumed_on_another_node_has_every_message_once() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let mut ada = Client::ready(&two, "ada").await;
    let mut bob = EventStream::open(&one, "bob", "").await;
    assert!(bob.head.contains("200 ok") && bob.head.contains("text/event-stream"), "{}", bob.head);
    let ready = bob.next().await.unwrap();
    assert_eq!((&ready.data[0]["op"], ready.id.as_deref()), (&json!("ready"), Some("1:0")));
    let mut seen = Vec::new();
    for (number, node) in [(0, &two), (30, &one), (60, &two)] {
        for number in number..number + 30 {
            ada.send("1", &format!("n-{number}"), &number.to_string()).await;
            ada.next("ack").await;
        }
        seen.extend(bob.messages(number + 30 - seen.len()).await);
        let last_id = bob.last_id.clone();
        drop(bob);
        ada.send("1", &format!("while-away-{number}"), "-").await;
        ada.next("ack").await;
        bob = EventStream::open(node, "bob", &last_id).await;
        assert_eq!(bob.messages(1).await, ["-"]);
    }
    assert_eq!(seen, (0..90).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_closed_and_goes_on_from_its_last_event() {
    let node = TestNode::with_limits(|limits| {
        limits.send_queue_bytes = 64 * 1024;
        limits.commands_per_minute = 100_000;
        limits.pending_sends = 1_000;
    })
    .await;
    let mut slow = EventStream::open(&node, "slow", "").await;
    slow.next().await.unwrap();
    let mut ada = Client::ready(&node, "ada").await;
    let content = "x".repeat(4_000);
    // More than the kernel's buffers of both sides hold.
    let mut sent = 0;
    while node.connections().await == 2 {
        for _ in 0..20 {
            ada.send("1", &format!("n-{sent}"), &content).await;
            ada.message().await;
            sent += 1;
        }
        assert!(sent < 10_000, "the slow stream is still there");
    }
    let mut seen = 0;
    while let Some(event) = slow.next().await {
        seen += contents(event.data.as_array().map_or(&[], Vec::as_slice)).len();
    }
    assert!(seen < sent);
    let mut back = EventStream::open(&node, "slow", &slow.last_id).await;
    assert_eq!(back.messages(sent - seen).await.len(), sent - seen);
}

#[tokio::test]
async fn a_draining_node_answers_polls_at_once_and_ends_streams_after_their_delay() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let mut bob = Poller::ready(&one, "bob").await;
    let mut carol = EventStream::open(&one, "carol", "").await;
    carol.next().await.unwrap();
    let address = one.address;
    let polling = tokio::spawn(async move {
        let frames = bob.poll_at(address, 50).await;
        (bob, frames)
    });
    while one.connections().await < 2 {
        tokio::task::yield_now().await;
    }
    let drained = one.drain();
    let (mut bob, frames) = polling.await.unwrap();
    assert_eq!(frames.last().unwrap()["op"], "reconnect", "{frames:?}");
    let told = carol.next().await.unwrap();
    assert_eq!(told.data[0]["op"], "reconnect");
    two.post("/api/v1/channels/1/messages", "ada", &json!({"nonce": "n", "content": "meanwhile"})).await;
    assert_eq!(contents(&bob.poll(&two, 5).await), ["meanwhile"]);
    let end = loop {
        let event = carol.next().await.expect("no close");
        if event.name == "close" {
            break event;
        }
    };
    assert_eq!((&end.data["code"], end.id), (&json!(1012), None));
    assert!(carol.next().await.is_none());
    let mut carol = EventStream::open(&two, "carol", &carol.last_id).await;
    carol.next().await.unwrap();
    assert_eq!(drained.await.unwrap(), 0);
}

#[tokio::test]
async fn requests_for_events_are_refused_with_a_problem_document() {
    let node = TestNode::with_limits(|limits| limits.connections_per_user = 1).await;
    for path in ["/api/v1/poll", "/api/v1/events"] {
        let foreign = node.get_with_token(path, &node.foreign_token("ada")).await;
        assert_eq!((foreign.status, &foreign.json()["code"]), (401, &json!("unauthorized")));
        for query in ["cursors=nonsense", "wait=51", "wait=soon"] {
            let refused = node.get(&format!("{path}?{query}"), "ada").await;
            assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("malformed")), "{query}");
        }
        let token = node.token("ada");
        let in_address = node.get_with_token(&format!("{path}?token={token}"), "").await;
        assert_eq!(in_address.status, 401);
    }
    let _ada = Client::ready(&node, "ada").await;
    for path in ["/api/v1/poll", "/api/v1/events"] {
        let refused = node.get(path, "ada").await;
        assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("too_many_connections")));
    }
    assert_eq!(node.connections().await, 1);
}

#[tokio::test]
async fn an_address_with_too_many_connections_gets_no_more_whoever_asks() {
    let node = TestNode::with_limits(|limits| limits.connections_per_address = 2).await;
    let ada = Client::ready(&node, "ada").await;
    let _bob = EventStream::open(&node, "bob", "").await;
    for path in ["/api/v1/poll", "/api/v1/events"] {
        let refused = node.get(path, "carol").await;
        assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("too_many_connections")));
    }
    drop(ada);
    while node.connections().await == 2 {
        tokio::task::yield_now().await;
    }
    Poller::ready(&node, "carol").await;
}

#[tokio::test]
async fn a_node_drains_when_its_platform_orders_it() {
    let node = TestNode::alone().await;
    let mut ada = Client::ready(&node, "ada").await;
    assert_eq!(node.order_drain().await.status, 202);
    let drained = node.drain();
    ada.next("reconnect").await;
    drop(ada);
    assert_eq!(drained.await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_kept_for_further_requests_does_not_hold_up_a_drain() {
    let node = TestNode::alone().await;
    let mut kept = Kept::open(&node).await;
    assert_eq!(kept.status("GET /api/v1/users/@me").await, Some(200));
    assert_eq!(kept.status("GET /api/v1/users/@me").await, Some(200));
    let began = Instant::now();
    assert_eq!(node.drain().await.unwrap(), 0);
    assert!(began.elapsed() < Duration::from_secs(3), "the drain took {:?}", began.elapsed());
    assert_eq!(kept.status("GET /api/v1/users/@me").await, None);
}

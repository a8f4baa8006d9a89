//! Nodes over real sockets, with a client that shares no code with the server.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::client::{Client, Closed};
use support::cluster::{Cluster, TestNode};

#[tokio::test]
async fn two_users_chat_and_see_the_same_in_the_same_order() {
    let node = TestNode::alone().await;
    let (mut ada, mut bob) = (Client::ready(&node, "ada").await, Client::ready(&node, "bob").await);
    ada.send("1", "n-1", "hello").await;
    let ack = ada.next("ack").await;
    assert_eq!((&ack["nonce"], &ack["position"]), (&json!("n-1"), &json!("1")));
    bob.send("1", "n-2", "hello yourself").await;
    for client in [&mut ada, &mut bob] {
        let seen = [client.message().await, client.message().await];
        assert_eq!(seen.map(|message| message["content"].clone()), ["hello", "hello yourself"]);
    }
}

#[tokio::test]
async fn a_message_reaches_users_of_other_nodes_and_is_in_the_history_of_all() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let (mut ada, mut bob) = (Client::ready(&one, "ada").await, Client::ready(&two, "bob").await);
    assert_ne!(ada.ready["server_id"], bob.ready["server_id"]);
    ada.send("1", "n", "across").await;
    assert_eq!(bob.message().await["content"], "across");
    let history = two.get("/api/v1/channels/1/messages?limit=1", "carol").await;
    assert_eq!(history.json()["messages"][0]["content"], "across");
}

#[tokio::test]
async fn resume_on_another_node_brings_what_was_missed_before_what_is_new() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let mut ada = Client::ready(&one, "ada").await;
    let mut bob = Client::ready(&one, "bob").await;
    ada.send("1", "n-0", "0").await;
    let cursor = bob.message().await["position"].clone();
    drop(bob);
    for number in 1..=80 {
        ada.send("1", &format!("n-{number}"), &number.to_string()).await;
        ada.next("ack").await;
    }
    let mut bob = Client::resumed(&two, "bob", json!({"1": cursor})).await;
    ada.send("1", "n-81", "81").await;
    for number in 1..=81 {
        assert_eq!(bob.message().await["content"], number.to_string());
    }
}

#[tokio::test]
async fn without_cursors_only_what_is_new_comes() {
    let node = TestNode::alone().await;
    let mut ada = Client::ready(&node, "ada").await;
    ada.send("1", "n-1", "old").await;
    ada.next("ack").await;
    let mut bob = Client::ready(&node, "bob").await;
    assert_eq!(bob.ready["channels"][0]["head"], "1");
    ada.send("1", "n-2", "new").await;
    assert_eq!(bob.message().await["content"], "new");
}

#[tokio::test]
async fn a_cursor_beyond_the_end_counts_as_the_end() {
    let node = TestNode::alone().await;
    let mut ada = Client::resumed(&node, "ada", json!({"1": "1000000"})).await;
    ada.send("1", "n", "still heard").await;
    assert_eq!(ada.message().await["content"], "still heard");
}

#[tokio::test]
async fn a_repeated_nonce_is_one_message_with_one_ack() {
    let node = TestNode::alone().await;
    let (mut ada, mut bob) = (Client::ready(&node, "ada").await, Client::ready(&node, "bob").await);
    ada.send("1", "same", "once").await;
    let first = ada.next("ack").await;
    ada.send("1", "same", "once").await;
    assert_eq!(ada.next("ack").await, first);
    ada.send("1", "other", "then").await;
    assert_eq!(
        [bob.message().await["content"].clone(), bob.message().await["content"].clone()],
        ["once", "then"]
    );
}

#[tokio::test]
async fn a_direct_channel_is_told_to_both_and_heard_by_nobody_else() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let (mut ada, mut bob) = (Client::ready(&one, "ada").await, Client::ready(&two, "bob").await);
    let mut eve = Client::ready(&two, "eve").await;
    let opened = one.post("/api/v1/users/@me/channels", "ada", &json!({"recipient_id": "bob"})).await;
    let channel = opened.json()["id"].as_str().unwrap().to_owned();
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.next("event").await["channel"]["id"], channel.as_str());
    }
    ada.send(&channel, "n-1", "psst").await;
    assert_eq!(bob.message().await["content"], "psst");
    assert_eq!(ada.message().await["content"], "psst");

    eve.send(&channel, "n-2", "me too").await;
    assert_eq!(eve.next("error").await["code"], "unknown_channel");
    let refused = two.get(&format!("/api/v1/channels/{channel}/messages"), "eve").await;
    assert_eq!((refused.status, &refused.json()["code"]), (404, &json!("unknown_channel")));
    ada.send("1", "n-3", "for all").await;
    assert_eq!(eve.message().await["content"], "for all");
}

#[tokio::test]
async fn a_direct_channel_is_resumed_like_any_other() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let mut ada = Client::ready(&one, "ada").await;
    drop(Client::ready(&two, "bob").await);
    let opened = one.post("/api/v1/users/@me/channels", "ada", &json!({"recipient_id": "bob"})).await;
    let channel = opened.json()["id"].as_str().unwrap().to_owned();
    ada.send(&channel, "n", "while you were away").await;
    ada.next("ack").await;
    let mut bob = Client::resumed(&two, "bob", json!({ channel: "0" })).await;
    assert_eq!(bob.message().await["content"], "while you were away");
}

#[tokio::test]
async fn a_bad_token_is_refused() {
    let node = TestNode::alone().await;
    for token in ["", "x.y.z", &node.foreign_token("ada")] {
        let mut client = Client::connect(&node).await;
        client.say(&json!({"op": "identify", "token": token})).await;
        assert_eq!(client.next("error").await["code"], "unauthorized");
        assert_eq!(client.closed().await, Closed(4004));
    }
    let refused = node.get_with_token("/api/v1/users/@me", &node.foreign_token("ada")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("unauthorized")));
}

#[tokio::test]
async fn who_sends_before_identifying_is_closed() {
    let node = TestNode::alone().await;
    let mut client = Client::connect(&node).await;
    client.send("1", "n", "hi").await;
    assert_eq!(client.closed().await, Closed(4003));
}

#[tokio::test]
async fn a_frame_too_large_closes_the_connection() {
    let node = TestNode::alone().await;
    let mut ada = Client::ready(&node, "ada").await;
    ada.send("1", "n", &"x".repeat(17 * 1024)).await;
    assert_eq!(ada.closed().await, Closed(1009));
}

#[tokio::test]
async fn a_binary_frame_closes_the_connection() {
    let node = TestNode::alone().await;
    let mut ada = Client::ready(&node, "ada").await;
    ada.say_binary(b"hi").await;
    assert_eq!(ada.closed().await, Closed(4002));
}

#[tokio::test]
async fn an_unknown_op_is_an_error_and_the_connection_stays() {
    let node = TestNode::alone().await;
    let mut ada = Client::ready(&node, "ada").await;
    ada.say(&json!({"op": "dance"})).await;
    assert_eq!(ada.next("error").await["code"], "unknown_op");
    ada.say(&json!({"op": "heartbeat"})).await;
    ada.next("heartbeat_ack").await;
}

#[tokio::test]
async fn the_longest_message_of_the_widest_characters_comes_through() {
    let node = TestNode::alone().await;
    let mut ada = Client::ready(&node, "ada").await;
    let content = "🦀".repeat(4_000);
    ada.send("1", "n", &content).await;
    assert_eq!(ada.message().await["content"], content);
}

#[tokio::test]
async fn a_user_with_too_many_connections_gets_no_more() {
    let node = TestNode::alone().await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(Client::ready(&node, "ada").await);
    }
    let mut refused = Client::connect(&node).await;
    refused.say(&json!({"op": "identify", "token": node.token("ada")})).await;
    assert_eq!(refused.closed().await, Closed(4007));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_the_others_do_not_wait() {
    let node = TestNode::with_limits(|limits| {
        limits.send_queue_bytes = 64 * 1024;
        limits.commands_per_minute = 100_000;
        limits.pending_sends = 1_000;
    })
    .await;
    let slow = Client::ready(&node, "slow").await;
    let mut ada = Client::ready(&node, "ada").await;
    let content = "🦀".repeat(4_000);
    // More than the kernel's buffers of both sides hold.
    for number in 0..4_000 {
        ada.send("1", &format!("n-{number}"), &content).await;
        ada.message().await;
        if node.connections().await == 1 {
            break;
        }
    }
    assert_eq!(node.connections().await, 1, "the slow client is still there");
    drop(slow);
}

#[tokio::test]
async fn a_draining_node_sends_its_clients_elsewhere_and_nothing_is_lost() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let (mut ada, mut bob) = (Client::ready(&one, "ada").await, Client::ready(&two, "bob").await);
    bob.send("1", "n-1", "before").await;
    let cursor = ada.message().await["position"].clone();
    let drained = one.drain();
    let reconnect = ada.next("reconnect").await;
    assert!(reconnect["delay_ms"].as_u64().unwrap() <= 1_000, "{reconnect}");
    drop(ada);
    bob.send("1", "n-2", "meanwhile").await;
    bob.next("ack").await;
    let mut ada = Client::resumed(&two, "ada", json!({"1": cursor})).await;
    assert_eq!(ada.message().await["content"], "meanwhile");
    assert_eq!(drained.await.unwrap(), 0);
}

#[tokio::test]
async fn every_answer_names_its_server_and_refusals_are_problem_documents() {
    let node = TestNode::alone().await;
    let nowhere = node.get("/nowhere", "ada").await;
    assert_eq!((nowhere.status, &nowhere.json()["code"]), (404, &json!("not_found")));
    assert!(nowhere.headers.contains("application/problem+json"), "{}", nowhere.headers);
    let server_id = Client::ready(&node, "ada").await.ready["server_id"].clone();
    assert!(nowhere.headers.contains(&format!("x-vibetalk-server: {server_id}")), "{}", nowhere.headers);

    let large = json!({"recipient_id": "x".repeat(20_000)});
    assert_eq!(node.post("/api/v1/users/@me/channels", "ada", &large).await.status, 413);
    let oneself = node.post("/api/v1/users/@me/channels", "ada", &json!({"recipient_id": "ada"})).await;
    assert_eq!(oneself.json()["code"], "invalid_recipient");
    let nobody = node.post("/api/v1/users/@me/channels", "ada", &json!({"recipient_id": "nobody"})).await;
    assert_eq!(nobody.json()["code"], "unknown_user");
    assert_eq!(node.post("/api/v1/dev/login", "ada", &json!({"name": "Ada"})).await.status, 404);
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy() {
    let node = TestNode::alone().await;
    let page = node.get("/", "ada").await;
    assert_eq!(page.status, 200);
    assert!(page.headers.contains("default-src 'none'; script-src 'self'"), "{}", page.headers);
    for path in ["/web/app.js", "/web/style.css", "/web/icon.svg"] {
        assert_eq!(node.get(path, "ada").await.status, 200, "{path}");
    }
    assert_eq!(node.get("/web/..%2fCargo.toml", "ada").await.status, 404);
}

#[tokio::test]
async fn the_platform_sees_what_the_node_does() {
    let node = TestNode::alone().await;
    let _ada = Client::ready(&node, "ada").await;
    assert_eq!(node.admin("/readyz").await.status, 200);
    assert_eq!(node.admin("/healthz").await.status, 200);
    let report = node.admin("/v1/node").await.json();
    assert_eq!((&report["state"], &report["connections"]), (&json!("ready"), &json!(1)));
    let metrics = node.admin("/metrics").await.body;
    assert!(metrics.contains("\nvibetalk_connections{transport=\"websocket\"} 1\n"), "{metrics}");
    tokio::time::timeout(Duration::from_secs(5), node.drain()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_bus_that_loses_everything_costs_time_but_no_message() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.deaf_node("one").await, cluster.deaf_node("two").await);
    let (mut ada, mut bob) = (Client::ready(&one, "ada").await, Client::ready(&two, "bob").await);
    for number in 1..=5 {
        ada.send("1", &format!("n-{number}"), &number.to_string()).await;
        assert_eq!(bob.message().await["content"], number.to_string());
    }
    let metrics = two.admin("/metrics").await.body;
    assert!(metrics.contains("\nvibetalk_gaps_filled_total 5\n"), "{metrics}");
    assert!(metrics.contains("\nvibetalk_degraded 1\n"), "{metrics}");
    assert_eq!(two.admin("/readyz").await.status, 200, "a broker that is away is no reason to be not ready");
}

#[tokio::test]
async fn a_direct_channel_is_found_without_the_bus() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.deaf_node("one").await, cluster.deaf_node("two").await);
    let mut ada = Client::ready(&one, "ada").await;
    drop(Client::ready(&two, "bob").await);
    let opened = one.post("/api/v1/users/@me/channels", "ada", &json!({"recipient_id": "bob"})).await;
    let channel = opened.json()["id"].as_str().unwrap().to_owned();
    let mut bob = Client::ready(&two, "bob").await;
    ada.send(&channel, "n", "found").await;
    assert_eq!(bob.message().await["content"], "found");
}

//! What is not stored, and what a client can ask its connection for, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use chat_node::groups::{GroupKind, GroupSettings, Role};
use chat_node::ids::{GroupId, Revision, UserId};
use chat_node::store::RoleWrite;
use serde_json::{Value, json};
use support::client::{Client, Closed};
use support::cluster::{Cluster, TestNode};
use support::requests::Poller;

async fn open_direct(node: &TestNode, user: &str, other: &str) -> String {
    let opened = node.post("/api/v1/users/@me/channels", user, &json!({"recipient_id": other})).await;
    opened.json()["id"].as_str().unwrap().to_owned()
}

async fn event(client: &mut Client, kind: &str) -> Value {
    loop {
        let event = client.next("event").await;
        if event["type"] == kind {
            return event;
        }
    }
}

#[tokio::test]
async fn typing_is_told_to_the_other_user_on_another_node_and_never_in_the_official_channel() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let (mut ada, mut bob) = (Client::ready(&one, "ada").await, Client::ready(&two, "bob").await);
    let channel = open_direct(&one, "ada", "bob").await;
    for client in [&mut ada, &mut bob] {
        event(client, "channel_create").await;
    }
    // Who has not begun to follow yet is told of nobody.
    ada.send(&channel, "n", "psst").await;
    bob.message().await;
    ada.say(&json!({"op": "typing", "channel_id": channel})).await;
    let typing = event(&mut bob, "typing").await;
    assert_eq!((&typing["user_id"], &typing["channel_id"]), (&json!("ada"), &json!(channel)));
    ada.say(&json!({"op": "typing", "channel_id": "1"})).await;
    assert_eq!(ada.next("error").await["code"], "forbidden");
    ada.say(&json!({"op": "typing", "channel_id": "77"})).await;
    assert_eq!(ada.next("error").await["code"], "unknown_channel");
}

#[tokio::test]
async fn presence_is_told_across_nodes_and_only_of_acquaintances() {
    let cluster = Cluster::default();
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let mut ada = Client::ready(&one, "ada").await;
    drop(Client::ready(&two, "bob").await);
    let _eve = Client::ready(&two, "eve").await;
    open_direct(&one, "ada", "bob").await;
    ada.say(&json!({"op": "watch", "user_ids": ["ada", "bob", "eve"]})).await;
    let first = event(&mut ada, "presence").await;
    let named: Vec<_> = first["users"].as_array().unwrap().iter().map(|user| &user["id"]).collect();
    assert_eq!(named, ["ada", "bob"]);
    assert_eq!(first["users"][0]["online"], true);
    // Bob's first connection may still count, or not.
    let was_here = first["users"][1]["online"] == true;
    if was_here {
        assert_eq!(event(&mut ada, "presence").await["users"], json!([{"id": "bob", "online": false}]));
    }
    let bob = Client::ready(&two, "bob").await;
    assert_eq!(event(&mut ada, "presence").await["users"], json!([{"id": "bob", "online": true}]));
    drop(bob);
    assert_eq!(event(&mut ada, "presence").await["users"], json!([{"id": "bob", "online": false}]));
    Poller::ready(&two, "bob").await;
    assert_eq!(event(&mut ada, "presence").await["users"], json!([{"id": "bob", "online": true}]));
}

#[tokio::test]
async fn presence_is_told_of_members_of_a_private_group_but_not_of_who_is_banned() {
    let cluster = Cluster::default();
    let node = cluster.node("one").await;
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| name.parse::<UserId>().unwrap());
    let (group, kind) = (GroupId(5), GroupKind::Private { owner: ada.clone() });
    cluster.store.create_group(group, &kind, &GroupSettings::default()).await.unwrap();
    for (user, role) in [(&bob, Role::Member), (&eve, Role::Banned)] {
        let write = RoleWrite { user: user.clone(), role: Some(role), over: Revision(0), since_ms: 0 };
        cluster.store.set_role(group, &write).await.unwrap();
    }
    for (watcher, watched, seen) in [("ada", ["bob", "eve"], vec!["bob"]), ("eve", ["ada", "bob"], vec![])] {
        let mut client = Client::ready(&node, watcher).await;
        client.say(&json!({"op": "watch", "user_ids": watched})).await;
        let first = event(&mut client, "presence").await;
        let named: Vec<_> = first["users"].as_array().unwrap().iter().map(|user| &user["id"]).collect();
        assert_eq!(named, seen);
    }
}

#[tokio::test]
async fn a_heartbeat_shows_how_far_the_channels_are_and_a_fetch_brings_what_was_missed() {
    let node = TestNode::alone().await;
    let (mut ada, mut eve) = (Client::ready(&node, "ada").await, Client::ready(&node, "eve").await);
    for number in 1..=5 {
        ada.send("1", &format!("n-{number}"), &number.to_string()).await;
        ada.message().await;
    }
    ada.say(&json!({"op": "heartbeat"})).await;
    assert_eq!(ada.next("heartbeat_ack").await["heads"], json!({"1": "5"}));
    ada.say(&json!({"op": "fetch", "channel_id": "1", "after": "2", "limit": 2})).await;
    let fill = ada.next("fill").await;
    let contents: Vec<_> =
        fill["entries"].as_array().unwrap().iter().map(|entry| &entry["message"]["content"]).collect();
    assert_eq!((&fill["after"], contents), (&json!("2"), vec![&json!("3"), &json!("4")]));
    ada.say(&json!({"op": "fetch", "channel_id": "1", "after": "5"})).await;
    assert_eq!(ada.next("fill").await["entries"], json!([]));

    drop(Client::ready(&node, "bob").await);
    let channel = open_direct(&node, "ada", "bob").await;
    eve.say(&json!({"op": "fetch", "channel_id": channel, "after": "0"})).await;
    assert_eq!(eve.next("error").await["code"], "unknown_channel");
}

#[tokio::test]
async fn who_goes_on_after_too_many_refusals_is_closed() {
    let node = TestNode::with_limits(|limits| limits.commands_per_minute = 5).await;
    let mut ada = Client::ready(&node, "ada").await;
    for _ in 0..11 {
        ada.say(&json!({"op": "heartbeat"})).await;
    }
    assert_eq!(ada.closed().await, Closed(4010));
}

//! What the API does, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::cluster::{Cluster, TestNode};
use support::http::{Answer, request};

/// Requests of one user to one node.
struct Caller<'a> {
    node: &'a TestNode,
    token: String,
}

impl<'a> Caller<'a> {
    /// A user who has come once, as others can only then do something with them.
    async fn new(node: &'a TestNode, user: &str) -> Self {
        let caller = Self { node, token: node.token(user) };
        assert_eq!(caller.ask("GET users/@me", &Value::Null).await.status, 200);
        caller
    }

    /// `line` is method and path below `/api/v1/`.
    async fn ask(&self, line: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let line = line.replacen(' ', " /api/v1/", 1);
        request(self.node.address, &line, (Some(&self.token), &body)).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(&format!("GET {path}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    async fn done(&self, line: &str, body: &Value, status: u16) -> Answer {
        let answer = self.ask(line, body).await;
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        answer
    }

    async fn send(&self, channel: &str, content: &str) -> String {
        let message = json!({"nonce": content, "content": content});
        let sent = self.done(&format!("POST channels/{channel}/messages"), &message, 201).await;
        sent.json()["id"].as_str().unwrap().to_owned()
    }

    async fn contents(&self, path: &str) -> Vec<String> {
        let page = self.get(path).await;
        let messages = page["messages"].as_array().unwrap().iter();
        messages.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    }
}

async fn node() -> TestNode {
    Cluster::default().unlimited_node("rest").await
}

/// All that is in a list, page after page; `key` is what a page calls it.
async fn all_pages(caller: &Caller<'_>, path: &str, (key, cursor): (&str, &str)) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let page = caller.get(&format!("{path}?limit=2{next}")).await;
        all.extend(page[key].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(id) => next = format!("&{cursor}={id}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn what_is_made_is_where_the_answer_says() {
    let node = node().await;
    let ada = Caller::new(&node, "ada").await;
    let made = ada.done("POST groups", &json!({"name": "Chess", "topic": "openings"}), 201).await;
    assert!(made.headers.contains("location: groups/"), "{made:?}");
    let group = format!("groups/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(ada.get(&group).await, made.json());
    let channel = ada.done(&format!("POST {group}/channels"), &json!({"name": "endgames"}), 201).await;
    assert!(channel.headers.contains("location: ../../channels/"), "{channel:?}");
    let channel = format!("channels/{}", channel.json()["id"].as_str().unwrap());
    assert_eq!(ada.get(&channel).await["name"], "endgames");
    let changed = ada.done(&format!("PATCH {channel}"), &json!({"slow_mode_s": 60}), 200).await.json();
    assert_eq!((&changed["slow_mode_s"], &changed["name"]), (&json!(60), &json!("endgames")));
    for _ in 0..2 {
        ada.ask(&format!("DELETE {channel}"), &Value::Null).await;
    }
    assert_eq!(ada.ask(&format!("GET {channel}"), &Value::Null).await.status, 404);
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let node = node().await;
    let ada = Caller::new(&node, "ada").await;
    let group = ada.done("POST groups", &json!({"name": "Chess"}), 201).await.json();
    let group = format!("groups/{}", group["id"].as_str().unwrap());
    for name in ["bob", "carol", "dan", "eve"] {
        Caller::new(&node, name).await;
        ada.done(&format!("PUT {group}/members/{name}"), &json!({"role": "member"}), 201).await;
        ada.done(&format!("POST {group}/channels"), &json!({"name": name}), 201).await;
        ada.done("POST groups", &json!({"name": name}), 201).await;
    }
    let members = all_pages(&ada, &format!("{group}/members"), ("members", "after")).await;
    let ids: Vec<_> = members.iter().map(|member| member["user_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["ada", "bob", "carol", "dan", "eve"]);
    assert_eq!(all_pages(&ada, &format!("{group}/channels"), ("channels", "after")).await.len(), 5);
    assert_eq!(all_pages(&ada, "users/@me/groups", ("groups", "after")).await.len(), 6);
    // The official one, five of the first group, and the first one of each other group.
    assert_eq!(all_pages(&ada, "users/@me/channels", ("channels", "after")).await.len(), 10);
}

#[tokio::test]
async fn who_is_added_to_a_group_is_created_and_who_is_changed_is_not() {
    let node = node().await;
    let (ada, _) = (Caller::new(&node, "ada").await, Caller::new(&node, "b:b@c").await);
    let group = ada.done("POST groups", &json!({"name": "Chess"}), 201).await.json();
    let group = format!("groups/{}", group["id"].as_str().unwrap());
    let member = format!("{group}/members/b:b@c");
    let added = ada.done(&format!("PUT {member}"), &json!({"role": "member"}), 201).await;
    assert!(added.headers.contains("location: ../members/b:b@c"), "{}", added.headers);
    assert_eq!(added.json(), json!({"user_id": "b:b@c", "role": "member"}));
    for role in ["member", "muted", "banned", "member"] {
        ada.done(&format!("PUT {member}"), &json!({"role": role}), 200).await;
    }
    ada.done(&format!("DELETE {member}"), &Value::Null, 204).await;
    ada.done(&format!("PUT {member}"), &json!({"role": "banned"}), 201).await;
}

#[tokio::test]
async fn messages_are_read_before_after_and_around_one() {
    let node = node().await;
    let ada = Caller::new(&node, "ada").await;
    let mut ids = Vec::new();
    for content in ["1", "2", "3", "4", "5"] {
        ids.push(ada.send("1", content).await);
    }
    let list = "channels/1/messages";
    assert_eq!(ada.contents(&format!("{list}?limit=2")).await, ["5", "4"]);
    assert_eq!(ada.contents(&format!("{list}?limit=2&before={}", ids[3])).await, ["3", "2"]);
    assert_eq!(ada.contents(&format!("{list}?limit=2&after={}", ids[1])).await, ["4", "3"]);
    assert_eq!(ada.contents(&format!("{list}?limit=3&around={}", ids[2])).await, ["4", "3", "2"]);
    assert_eq!(all_pages(&ada, list, ("messages", "before")).await.len(), 5);
    let both = ada.ask(&format!("GET {list}?before={}&after={}", ids[1], ids[3]), &Value::Null).await;
    assert_eq!((both.status, &both.json()["code"]), (400, &json!("malformed")));
}

#[tokio::test]
async fn a_message_shows_what_changed_since() {
    let node = node().await;
    let (ada, bob) = (Caller::new(&node, "ada").await, Caller::new(&node, "bob").await);
    let direct = ada.done("POST users/@me/channels", &json!({"recipient_id": "bob"}), 200).await.json();
    let channel = direct["id"].as_str().unwrap();
    let message = ada.send(channel, "first").await;
    let at = format!("channels/{channel}/messages/{message}");
    ada.done(&format!("PATCH {at}"), &json!({"content": "second"}), 200).await;
    let thumb = format!("{at}/reactions/%F0%9F%91%8D");
    for _ in 0..2 {
        bob.done(&format!("PUT {thumb}/@me"), &Value::Null, 204).await;
        bob.done(&format!("PUT channels/{channel}/pins/{message}"), &Value::Null, 204).await;
    }
    let shown = bob.get(&at).await;
    assert_eq!((&shown["content"], &shown["pinned"]), (&json!("second"), &json!(true)));
    assert_eq!(shown["reactions"], json!([{"emoji": "👍", "count": 1, "me": true}]));
    assert_eq!(ada.get(&thumb).await, json!({"user_ids": ["bob"], "next": null}));
    assert_eq!(ada.contents(&format!("channels/{channel}/pins")).await, ["second"]);

    for _ in 0..2 {
        bob.done(&format!("DELETE {thumb}/@me"), &Value::Null, 204).await;
    }
    assert_eq!(bob.get(&at).await.get("reactions"), None);
    ada.done(&format!("DELETE {at}"), &Value::Null, 204).await;
    assert_eq!(bob.ask(&format!("GET {at}"), &Value::Null).await.json()["code"], "unknown_message");
    assert!(ada.contents(&format!("channels/{channel}/pins")).await.is_empty());
}

#[tokio::test]
async fn a_message_carries_all_that_its_author_composed() {
    let node = node().await;
    let ada = Caller::new(&node, "ada").await;
    let first = ada.send("1", "first").await;
    let composed = json!({
        "nonce": "n", "content": "look", "mentions": ["ada"], "reference": first, "flags": 4,
        "attachments": [{"filename": "a.png", "size": 3, "url": "https://files.test/a.png"}],
        "embeds": [{"title": "A", "color": 255}], "more": "of what nobody knows",
    });
    let sent = ada.done("POST channels/1/messages", &composed, 201).await;
    let sent = sent.json();
    for field in ["nonce", "content", "mentions", "reference", "flags", "attachments", "embeds"] {
        assert_eq!(sent[field], composed[field], "{field}");
    }
    assert_eq!(sent["type"], "reply");
    let again = ada.done("POST channels/1/messages", &composed, 201).await.json();
    assert_eq!(again["id"], sent["id"]);
}

#[tokio::test]
async fn reading_counts_down_what_is_unread_and_never_goes_back() {
    let node = node().await;
    let (ada, bob) = (Caller::new(&node, "ada").await, Caller::new(&node, "bob").await);
    let direct = ada.done("POST users/@me/channels", &json!({"recipient_id": "bob"}), 200).await.json();
    let channel = format!("channels/{}", direct["id"].as_str().unwrap());
    for content in ["1", "2", "3"] {
        ada.send(direct["id"].as_str().unwrap(), content).await;
    }
    assert_eq!(bob.get(&format!("{channel}/read")).await, json!({"position": "0", "unread": 3}));
    let own = bob.get("users/@me/channels").await;
    let unread =
        own["channels"].as_array().unwrap().iter().map(|it| (&it["kind"], &it["unread"], &it["read"]));
    let expected = [(&json!("official"), &json!(0), &json!("0")), (&json!("direct"), &json!(3), &json!("0"))];
    assert_eq!(unread.collect::<Vec<_>>(), expected);
    let read = format!("PUT {channel}/read");
    for (position, state) in [
        ("2", json!({"position": "2", "unread": 1})),
        ("1", json!({"position": "2", "unread": 1})),
        ("99", json!({"position": "3", "unread": 0})),
    ] {
        assert_eq!(bob.done(&read, &json!({"position": position}), 200).await.json(), state);
    }
    assert_eq!(bob.get(&channel).await["unread"], 0);
}

#[tokio::test]
async fn slow_mode_makes_members_wait_and_says_how_long() {
    let node = node().await;
    let (ada, bob) = (Caller::new(&node, "ada").await, Caller::new(&node, "bob").await);
    let group = ada.done("POST groups", &json!({"name": "Chess"}), 201).await.json();
    let group = format!("groups/{}", group["id"].as_str().unwrap());
    ada.done(&format!("PUT {group}/members/bob"), &json!({"role": "member"}), 201).await;
    let slow = json!({"name": "slow", "slow_mode_s": 600});
    let channel = ada.done(&format!("POST {group}/channels"), &slow, 201).await.json();
    let channel = channel["id"].as_str().unwrap();
    bob.send(channel, "1").await;
    let hasty = json!({"nonce": "2", "content": "2"});
    let refused = bob.done(&format!("POST channels/{channel}/messages"), &hasty, 429).await;
    assert_eq!(refused.json()["code"], "slow_mode");
    assert!(refused.headers.contains("retry-after: ") && refused.json()["retry_after_ms"].as_u64() > Some(0));
    for content in ["3", "4"] {
        ada.send(channel, content).await;
    }
}

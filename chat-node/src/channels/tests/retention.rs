//! What is too old is gone, and everything else goes on as if it had always been so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::world::{Node, World, user};
use crate::channels::retention::Retention;
use crate::ids::snowflake::Snowflakes;
use crate::ids::{ChannelId, MessageId, Position, ServerId};
use crate::protocol::frame::Fetch;
use crate::protocol::message::{Composed, Entry, Message, Place};
use crate::store::bucket::BucketLength;
use crate::store::{ChannelStore, LogStore, Reserve, Store};

const DAY_MS: u64 = 86_400_000;
const OFFICIAL: ChannelId = ChannelId::OFFICIAL;

/// Puts a message of some days ago into the official channel.
async fn put_old(world: &World, content: &str, days: u64) -> Message {
    let then_ms = world.store.now_ms().await.unwrap() - days * DAY_MS;
    let reserved =
        world.store.reserve(OFFICIAL, Reserve { count: 1, last_message: 1 }, then_ms).await.unwrap();
    let mut flakes = Snowflakes::new(ServerId::new(1_000).unwrap(), 0);
    flakes.allow_until(reserved.first_ms);
    let id = MessageId(flakes.take(reserved.first_ms).unwrap());
    let place = Place { id, channel_id: OFFICIAL, position: reserved.first, access: reserved.access };
    let composed = Composed { content: content.to_owned(), ..Composed::default() };
    let message = Message::new(place, user("ada"), content.to_owned(), composed);
    world.store.insert(&[Entry::Message(message.clone())]).await.unwrap();
    message
}

/// A node that keeps messages for 30 days, after it has looked for old ones.
async fn forgetting(world: &World) -> Node {
    let node = world.node("forgets").await;
    let retention = Retention { keep_ms: 30 * DAY_MS, bucket: BucketLength::default() };
    tokio::spawn(Arc::clone(&node.channels).keep_forgetting(retention));
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    node
}

async fn contents(node: &Node, id: &str) -> Vec<String> {
    node.reads(id, OFFICIAL).await.unwrap().into_iter().map(|message| message.content).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_gone_and_positions_go_on() {
    let world = World::new().await;
    let old = put_old(&world, "old", 60).await;
    put_old(&world, "older than kept", 45).await;
    put_old(&world, "kept", 5).await;
    let other = world.node("does not forget").await;
    assert_eq!(contents(&other, "bob").await.len(), 3);
    let node = forgetting(&world).await;
    for node in [&node, &other] {
        assert_eq!(contents(node, "bob").await, ["kept"]);
        assert!(node.channels.message(&user("bob").id, (OFFICIAL, old.id)).await.is_err());
    }
    let channel = world.store.channel(OFFICIAL).await.unwrap().unwrap();
    assert_eq!((channel.floor, channel.head), (Position(2), Position(3)));
    assert_eq!(node.send("bob", OFFICIAL, "new").await.unwrap().position, Position(4));
}

#[tokio::test(start_paused = true)]
async fn who_resumes_from_before_what_is_gone_gets_what_is_left_in_order() {
    let world = World::new().await;
    for content in ["1", "2", "3"] {
        put_old(&world, content, 60).await;
    }
    let node = forgetting(&world).await;
    let other = world.node("other").await;
    node.send("ada", OFFICIAL, "4").await.unwrap();
    for node in [&node, &other] {
        for cursor in [0, 1, 3] {
            let mut bob = node.resume("bob", &BTreeMap::from([(OFFICIAL, Position(cursor))])).await;
            assert_eq!((bob.views[0].floor, bob.views[0].head), (Position(3), Position(4)));
            assert_eq!(bob.messages().await, ["4"], "from {cursor}");
        }
        let fetch = Fetch { channel_id: OFFICIAL, after: Position(0), limit: 10 };
        let fetched = node.channels.fetch(&user("bob").id, fetch).await.unwrap();
        assert_eq!(fetched.iter().map(Entry::position).collect::<Vec<_>>(), [Position(4)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_of_which_all_is_gone_keeps_its_head() {
    let world = World::new().await;
    put_old(&world, "1", 60).await;
    put_old(&world, "2", 50).await;
    let node = forgetting(&world).await;
    assert!(contents(&node, "bob").await.is_empty());
    let mut bob = node.connect("bob").await;
    assert_eq!((bob.views[0].head, bob.views[0].unread), (Position(2), Some(0)));
    assert_eq!(node.send("ada", OFFICIAL, "3").await.unwrap().position, Position(3));
    assert_eq!(bob.messages().await, ["3"]);
}

//! What users are told of a direct channel while something is being stored there.

use std::time::Duration;

use super::world::{Node, World, user};
use crate::ids::{ChannelId, Position};
use crate::store::{LogStore, Reserve, UserStore};

/// A channel of Ada and Bob in which Ada has said `first`, and a writer has reserved the next position.
async fn with_an_open_position(world: &World, node: &Node) -> ChannelId {
    for id in ["ada", "bob"] {
        world.store.put_user(&user(id)).await.unwrap();
    }
    let channel = node.channels.open_direct(&user("ada"), &user("bob").id).await.unwrap().id;
    node.send("ada", channel, "first").await.unwrap();
    let reserved = world.store.reserve(channel, Reserve { count: 1, last_message: 1 }, 0).await.unwrap();
    assert_eq!(reserved.first, Position(2));
    channel
}

#[tokio::test(start_paused = true)]
async fn what_is_still_being_stored_comes_after_the_head_of_a_direct_channel_that_was_there() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let channel = with_an_open_position(&world, &one).await;
    let mut bob = two.connect("bob").await;
    two.forget("bob", channel);
    let view = two.channels.open_direct(&user("ada"), &user("bob").id).await.unwrap();
    assert_eq!((view.id, view.head), (channel, Position(1)));
    assert_eq!(bob.introduced_head().await, Position(1));
}

#[tokio::test(start_paused = true)]
async fn who_hears_of_a_direct_channel_by_a_message_can_read_all_up_to_its_head() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let channel = with_an_open_position(&world, &one).await;
    let mut bob = two.connect("bob").await;
    two.forget("bob", channel);
    one.send("ada", channel, "third").await.unwrap();
    let head = tokio::time::timeout(Duration::from_secs(5), bob.introduced_head()).await.unwrap();
    let stored = world.store.entries_after(channel, Position(0), 10).await.unwrap();
    assert_eq!((head, stored.len()), (Position(2), 3), "position 2 is open no more");
}

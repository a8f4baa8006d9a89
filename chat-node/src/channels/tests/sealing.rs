//! Positions that a dead writer has left open where nothing follows.

use std::time::Duration;

use super::world::World;
use crate::ids::{ChannelId, Position};
use crate::protocol::message::Entry;
use crate::store::{LogStore, Reserve};

/// Two comparisons of heads in which the log is asked in vain, and one more.
const SEALED: Duration = Duration::from_secs(20);
const OFFICIAL: ChannelId = ChannelId::OFFICIAL;

#[tokio::test(start_paused = true)]
async fn what_a_dead_writer_left_open_at_the_end_of_a_log_is_sealed() {
    let world = World::new().await;
    let node = world.node("one").await;
    let compares = tokio::spawn(std::sync::Arc::clone(&node.channels).keep_comparing(|_| {}));
    let mut ada = node.connect("ada").await;
    node.send("ada", OFFICIAL, "a").await.unwrap();
    world.store.reserve(OFFICIAL, Reserve { count: 2, last_message: 2 }, 0).await.unwrap();
    tokio::time::sleep(SEALED).await;
    let entries = world.store.entries_after(OFFICIAL, Position(1), 10).await.unwrap();
    assert!(matches!(entries[..], [Entry::Void { .. }, Entry::Void { .. }]), "{entries:?}");
    node.send("ada", OFFICIAL, "b").await.unwrap();
    assert_eq!(ada.messages().await, ["a", "b"]);
    compares.abort();
}

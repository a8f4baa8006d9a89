//! A store that does not answer.

use std::time::Duration;

use super::world::World;
use crate::error::ErrorCode;
use crate::ids::ChannelId;

#[tokio::test(start_paused = true)]
async fn a_send_that_the_store_did_not_take_says_when_to_come_back_and_works_then() {
    let world = World::new().await;
    let node = world.node("one").await;
    let mut ada = node.connect("ada").await;
    node.send("ada", ChannelId::OFFICIAL, "before").await.unwrap();
    world.store.set_down(true);
    let refused = node.send("ada", ChannelId::OFFICIAL, "in between").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    let retry_after = refused.retry_after.unwrap();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&retry_after), "{retry_after:?}");

    world.store.set_down(false);
    tokio::time::sleep(retry_after).await;
    // The nonce is the same: whatever became of the first try, it is one message.
    let first = node.send("ada", ChannelId::OFFICIAL, "in between").await.unwrap();
    assert_eq!(node.send("ada", ChannelId::OFFICIAL, "in between").await.unwrap().id, first.id);
    assert_eq!(ada.messages().await, ["before", "in between"]);
}

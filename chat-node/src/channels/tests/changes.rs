//! Edits, deletes, reactions, pins, settings, and who may.

use super::world::{Node, World, code, user};
use crate::channels::change::{Edit, PINS_MAX};
use crate::channels::groups::ChannelPatch;
use crate::channels::log::{Content, Draft};
use crate::channels::permit::Right;
use crate::error::{ErrorCode, Problem};
use crate::groups::Role;
use crate::ids::{AccessVersion, ChannelId, MessageId, Position};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::{Change, Composed};
use crate::store::{ChangeStore, ChannelStore};

fn text(content: &str) -> Edit {
    Edit { content: Some(content.to_owned()), ..Edit::default() }
}

fn thumb() -> Emoji {
    "👍".parse().unwrap()
}

async fn react(node: &Node, id: &str, at: (ChannelId, MessageId), on: bool) -> Result<(), Problem> {
    node.channels.react(&user(id), at, (thumb(), on)).await
}

async fn head(world: &World, channel: ChannelId) -> Position {
    world.store.channel(channel).await.unwrap().unwrap().head
}

#[tokio::test(start_paused = true)]
async fn every_change_reaches_the_followers_of_all_nodes_in_order_and_shows_in_the_history() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (_, channel) = world.group(&one, "ada", &["bob"]).await;
    let mut bob = two.connect("bob").await;
    let first = one.send("ada", channel, "helo").await.unwrap();
    let at = (channel, first.id);
    assert_eq!(one.channels.edit(&user("ada"), at, text("hello")).await.unwrap().content, "hello");
    react(&two, "bob", at, true).await.unwrap();
    one.channels.pin(&user("ada"), at, true).await.unwrap();
    let other = two.send("bob", channel, "oops").await.unwrap();
    two.channels.delete(&user("bob"), (channel, other.id)).await.unwrap();

    let events = bob.events().await;
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected =
        ["message_create", "message_update", "reaction", "pin", "message_create", "message_delete"];
    assert_eq!(kinds, expected);
    let read = two.reads("bob", channel).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].content.as_str(), read[0].pinned), ("hello", true));
    assert!(read[0].edited_ms.is_some());
    let [count] = read[0].reactions.as_slice() else { panic!("{:?}", read[0].reactions) };
    assert_eq!((count.count, count.me), (1, true));
    let pins = one.channels.pins(&user("ada").id, channel).await.unwrap();
    assert_eq!((pins.len(), pins[0].reactions[0].me), (1, false));
}

#[tokio::test(start_paused = true)]
async fn what_would_change_nothing_is_no_entry() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (_, channel) = world.group(&node, "ada", &["bob"]).await;
    let at = (channel, node.send("ada", channel, "hi").await.unwrap().id);
    react(&node, "bob", at, true).await.unwrap();
    node.channels.pin(&user("ada"), at, true).await.unwrap();
    let before = head(&world, channel).await;
    react(&node, "bob", at, true).await.unwrap();
    react(&node, "ada", at, false).await.unwrap();
    node.channels.pin(&user("ada"), at, true).await.unwrap();
    node.channels.edit(&user("ada"), at, text("hi")).await.unwrap();
    node.channels.edit(&user("ada"), at, Edit::default()).await.unwrap();
    assert_eq!(head(&world, channel).await, before);
}

#[tokio::test(start_paused = true)]
async fn only_authors_edit_and_only_authors_and_managers_delete_and_only_managers_pin() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (group, channel) = world.group(&node, "ada", &["bob", "carol", "dora"]).await;
    node.put("ada", group, ("dora", Role::Admin)).await.unwrap();
    let at = (channel, node.send("bob", channel, "mine").await.unwrap().id);
    let channels = &node.channels;
    for id in ["ada", "dora", "carol"] {
        assert_eq!(code(channels.edit(&user(id), at, text("x")).await), ErrorCode::Forbidden, "{id}");
    }
    for id in ["bob", "carol"] {
        assert_eq!(code(channels.pin(&user(id), at, true).await), ErrorCode::Forbidden, "{id}");
    }
    assert_eq!(code(channels.delete(&user("carol"), at).await), ErrorCode::Forbidden);
    assert_eq!(code(channels.delete(&user("eve"), at).await), ErrorCode::UnknownChannel);
    assert_eq!(code(react(&node, "eve", at, true).await), ErrorCode::UnknownChannel);
    node.put("ada", group, ("carol", Role::Muted)).await.unwrap();
    assert_eq!(code(react(&node, "carol", at, true).await), ErrorCode::Forbidden);
    channels.delete(&user("dora"), at).await.unwrap();
    for result in [channels.delete(&user("bob"), at).await, react(&node, "bob", at, true).await] {
        assert_eq!(code(result), ErrorCode::UnknownMessage);
    }
}

#[tokio::test(start_paused = true)]
async fn only_managers_mention_everyone_and_answers_need_a_message_of_the_same_channel() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (_, channel) = world.group(&node, "ada", &["bob"]).await;
    let elsewhere = node.send("bob", ChannelId::OFFICIAL, "elsewhere").await.unwrap();
    let send = async |id: &str, composed: Composed| {
        let draft = crate::protocol::frame::Draft {
            channel_id: channel,
            nonce: format!("{id} {composed:?}")[..60].to_owned(),
            composed,
        };
        node.channels.send(&user(id), draft).await
    };
    let composed = |content: &str| Composed { content: content.to_owned(), ..Composed::default() };
    let loud = || Composed { mention_everyone: true, ..composed("all!") };
    assert_eq!(code(send("bob", loud()).await), ErrorCode::Forbidden);
    let first = send("ada", loud()).await.unwrap();
    let answer = |to| Composed { reference: Some(to), ..composed("re") };
    assert_eq!(code(send("bob", answer(elsewhere.id)).await), ErrorCode::UnknownMessage);
    assert_eq!(send("bob", answer(first.id)).await.unwrap().reference, Some(first.id));
}

#[tokio::test(start_paused = true)]
async fn reactions_and_pins_are_bounded() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (_, channel) = world.group(&node, "ada", &[]).await;
    let at = (channel, node.send("ada", channel, "0").await.unwrap().id);
    let ada = user("ada");
    for number in 0..20 {
        let emoji: Emoji = format!(":e{number}:").parse().unwrap();
        node.channels.react(&ada, at, (emoji, true)).await.unwrap();
    }
    assert_eq!(code(react(&node, "ada", at, true).await), ErrorCode::TooMany);
    node.channels.pin(&ada, at, true).await.unwrap();
    for number in 1..PINS_MAX {
        let id = node.send("ada", channel, &number.to_string()).await.unwrap().id;
        node.channels.pin(&ada, (channel, id), true).await.unwrap();
    }
    let id = node.send("ada", channel, "one more").await.unwrap().id;
    assert_eq!(code(node.channels.pin(&ada, (channel, id), true).await), ErrorCode::TooMany);
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_append_and_fold_is_repaired_by_the_next_reader() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (_, channel) = world.group(&one, "ada", &["bob"]).await;
    let message = one.send("ada", channel, "secret").await.unwrap();
    let draft = Draft {
        author: user("ada"),
        content: Content::Change(Change::Delete { message_id: message.id }),
        needs: Right::Read,
        checked: AccessVersion(u64::MAX),
    };
    one.channels.log.append(channel, vec![draft]).await.unwrap();
    let still = world.store.message(channel, message.id).await.unwrap();
    assert!(still.is_some(), "the node has died before it folded");
    assert!(two.reads("bob", channel).await.unwrap().is_empty());
    let row = world.store.channel(channel).await.unwrap().unwrap();
    assert_eq!(row.folded, row.head);
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_fails_is_tried_again() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (_, channel) = world.group(&node, "ada", &[]).await;
    let id = node.send("ada", channel, "helo").await.unwrap().id;
    world.store.lose_folds(2);
    node.channels.edit(&user("ada"), (channel, id), text("hello")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(world.store.message(channel, id).await.unwrap().unwrap().content, "hello");
}

#[tokio::test(start_paused = true)]
async fn settings_are_changed_by_managers_and_told_as_an_entry_and_slow_mode_holds_on_every_node() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (_, channel) = world.group(&one, "ada", &["bob"]).await;
    let mut bob = two.connect("bob").await;
    let slow = || ChannelPatch { slow_mode_s: Some(30), ..ChannelPatch::default() };
    let refused = one.channels.set_channel_settings(&user("bob"), channel, slow()).await;
    assert_eq!(code(refused), ErrorCode::Forbidden);
    one.channels.set_channel_settings(&user("ada"), channel, slow()).await.unwrap();
    let events = bob.events().await;
    assert_eq!((&events[0]["type"], &events[0]["slow_mode_s"]), (&"channel_update".into(), &30.into()));

    let _here_too = one.connect("ada").await;
    two.send("bob", channel, "1").await.unwrap();
    two.send("bob", channel, "1").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    for node in [&one, &two] {
        let refused = node.send("bob", channel, "2").await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::SlowMode);
        assert!(refused.retry_after.unwrap() <= std::time::Duration::from_secs(20));
    }
    one.send("ada", channel, "a").await.unwrap();
    one.send("ada", channel, "b").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    two.send("bob", channel, "2").await.unwrap();
}

//! Who is put out gets nothing and says nothing afterwards, whatever a node has heard of it.

use crds::RoutingMode;

use super::world::{World, code, user};
use crate::error::ErrorCode;
use crate::groups::{Override, OverrideTarget, Permissions, Role};
use crate::ids::{ChannelId, GroupId};
use crate::protocol::frame::Fetch;
use crate::store::{ChannelStore, LogStore, RoleWrite};

const NO_READING: Permissions = Permissions { read: true, send: false, manage: false };

#[tokio::test(start_paused = true)]
async fn kicked_member_receives_nothing_after_the_kick() {
    for routing in [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static] {
        let world = World::routed(routing).await;
        let (one, two) = (world.node("one").await, world.node("two").await);
        let (group, channel) = world.group(&one, "ada", &["bob", "carol"]).await;
        let (mut bob, mut carol) = (two.connect("bob").await, two.connect("carol").await);
        one.send("ada", channel, "hello").await.unwrap();
        assert_eq!(bob.messages().await, ["hello"], "{routing:?}");

        two.miss_changes_of_groups();
        one.kick("ada", group, "bob").await.unwrap();
        one.send("ada", channel, "he is gone").await.unwrap();
        one.send("ada", channel, "at last").await.unwrap();
        assert_eq!(carol.messages().await, ["hello", "he is gone", "at last"], "{routing:?}");
        assert!(bob.messages().await.is_empty(), "{routing:?}");
        assert_eq!(bob.obey(&two).await, (vec![], vec![channel]), "{routing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kick_that_is_heard_of_takes_the_channel_away_at_once_and_coming_back_brings_only_what_is_new() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    let mut bob = two.connect("bob").await;
    one.kick("ada", group, "bob").await.unwrap();
    assert_eq!(bob.obey(&two).await, (vec![], vec![channel]));
    one.send("ada", channel, "secret").await.unwrap();

    one.put("ada", group, ("bob", Role::Member)).await.unwrap();
    assert_eq!(bob.obey(&two).await, (vec![channel], vec![]));
    one.send("ada", channel, "welcome").await.unwrap();
    assert_eq!(bob.messages().await, ["welcome"]);
    let read: Vec<_> = two.reads("bob", channel).await.unwrap().into_iter().map(|it| it.content).collect();
    assert_eq!(read, ["secret", "welcome"], "history is for members");
}

#[tokio::test(start_paused = true)]
async fn a_sender_with_an_old_view_is_refused_after_the_kick() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    two.send("bob", channel, "here").await.unwrap();
    two.miss_changes_of_groups();
    one.kick("ada", group, "bob").await.unwrap();
    assert_eq!(code(two.send("bob", channel, "still here").await), ErrorCode::UnknownChannel);
    assert_eq!(code(two.send("bob", channel, "and again").await), ErrorCode::UnknownChannel);
    let entries = world.store.entries_after(channel, crate::ids::Position(0), 10).await.unwrap();
    assert!(!format!("{entries:?}").contains("still here"), "{entries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_muted_member_with_an_old_view_is_refused_too_and_hears_the_others() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    let mut bob = two.connect("bob").await;
    two.miss_changes_of_groups();
    one.put("ada", group, ("bob", Role::Muted)).await.unwrap();
    assert_eq!(code(two.send("bob", channel, "loud").await), ErrorCode::Forbidden);
    one.send("ada", channel, "quiet").await.unwrap();
    assert_eq!(bob.messages().await, ["quiet"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_read_does_not_bring_a_member_back() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    world.store.hold_answers_of_groups(true);
    let asking = tokio::spawn({
        let channels = two.channels.clone();
        async move { channels.permit(&user("bob").id, channel, crate::channels::permit::Right::Read).await }
    });
    // The second node has read the group in which Bob is a member; the answer is on its way.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let behind = world.store.behind();
    let bob = user("bob").id;
    let over = behind.seat(group, &bob).await.unwrap().revision;
    behind.set_role(group, &RoleWrite { user: bob, role: None, over, since_ms: 0 }).await.unwrap();
    let concerned = crate::groups::Concerned::User(user("bob").id);
    let version = behind.bump(group, &concerned).await.unwrap().unwrap();
    two.channels.hear_of_change(group, version);
    world.store.hold_answers_of_groups(false);
    assert_eq!(code(asking.await.unwrap()), ErrorCode::UnknownChannel);
}

#[tokio::test(start_paused = true)]
async fn who_is_out_reads_nothing_either_on_a_node_that_has_not_heard_of_it() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    let message = one.send("ada", channel, "secret").await.unwrap();
    let bob = user("bob");
    assert_eq!(two.reads("bob", channel).await.unwrap().len(), 1);
    two.miss_changes_of_groups();
    one.kick("ada", group, "bob").await.unwrap();

    assert_eq!(code(two.reads("bob", channel).await), ErrorCode::UnknownChannel);
    assert_eq!(code(two.channels.message(&bob.id, (channel, message.id)).await), ErrorCode::UnknownChannel);
    assert_eq!(code(two.channels.pins(&bob.id, channel).await), ErrorCode::UnknownChannel);
    let fetch = Fetch { channel_id: channel, after: crate::ids::Position(0), limit: 10 };
    assert_eq!(code(two.channels.fetch(&bob.id, fetch).await), ErrorCode::UnknownChannel);
    assert_eq!(code(two.channels.group(&bob.id, group).await), ErrorCode::UnknownGroup);
    assert_eq!(code(two.channels.channel(&bob.id, channel).await), ErrorCode::UnknownChannel);
}

#[tokio::test(start_paused = true)]
async fn who_comes_with_old_cursors_after_the_kick_is_told_that_the_channel_is_gone() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    one.send("ada", channel, "before").await.unwrap();
    let mut bob = two.connect("bob").await;
    two.miss_changes_of_groups();
    one.kick("ada", group, "bob").await.unwrap();
    one.send("ada", channel, "after").await.unwrap();
    two.channels.follow(&bob.follower(), channel, crate::ids::Position(0)).await.unwrap();
    assert!(!bob.messages().await.contains(&"after".to_owned()));
    assert_eq!(bob.obey(&two).await.1, [channel]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_closed_to_members_is_withdrawn_and_opened_again_is_introduced() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (_, channel) = world.group(&one, "ada", &["bob", "carol"]).await;
    let (mut bob, mut ada) = (two.connect("bob").await, two.connect("ada").await);
    let closed =
        Override { target: OverrideTarget::Role(Role::Member), allow: Permissions::NONE, deny: NO_READING };
    let ada_id = user("ada").id;
    one.channels.set_overrides(&ada_id, channel, vec![closed]).await.unwrap();
    one.send("ada", channel, "among owners").await.unwrap();
    assert_eq!(ada.messages().await, ["among owners"]);
    assert!(bob.messages().await.is_empty());
    assert_eq!(bob.obey(&two).await, (vec![], vec![channel]));
    let _carol = two.connect("carol").await;

    let for_bob = Override {
        target: OverrideTarget::User(user("bob").id),
        allow: Permissions::TALK,
        deny: Permissions::NONE,
    };
    one.channels.set_overrides(&ada_id, channel, vec![for_bob]).await.unwrap();
    assert_eq!(bob.obey(&two).await, (vec![channel], vec![]));
    one.send("ada", channel, "for all").await.unwrap();
    assert_eq!(ada.messages().await, ["for all"]);
    assert_eq!(bob.messages().await, ["for all"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_channel_and_a_deleted_group_are_withdrawn_from_all() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    let mut bob = two.connect("bob").await;
    one.channels.delete_group(&user("ada").id, group).await.unwrap();
    assert_eq!(bob.obey(&two).await, (vec![], vec![channel]));
    assert_eq!(code(two.send("bob", channel, "x").await), ErrorCode::UnknownChannel);
    assert_eq!(code(one.send("ada", channel, "x").await), ErrorCode::UnknownChannel);
    assert_eq!(world.store.channel(channel).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn who_is_banned_from_the_official_group_is_out_and_who_is_not_banned_any_more_is_back() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let settings = crate::groups::GroupSettings { name: "Official".to_owned(), topic: String::new() };
    one.channels.prepare_official(&settings, &[user("ada").id]).await.unwrap();
    let (mut bob, mut carol) = (two.connect("bob").await, two.connect("carol").await);
    for id in ["bob", "carol"] {
        crate::store::UserStore::put_user(&*world.store, &user(id)).await.unwrap();
    }
    two.miss_changes_of_groups();
    one.put("ada", GroupId::OFFICIAL, ("bob", Role::Banned)).await.unwrap();
    one.send("carol", ChannelId::OFFICIAL, "peace").await.unwrap();
    assert_eq!(carol.messages().await, ["peace"]);
    assert!(bob.messages().await.is_empty());
    assert_eq!(bob.obey(&two).await.1, [ChannelId::OFFICIAL]);
    assert_eq!(code(one.send("bob", ChannelId::OFFICIAL, "hey").await), ErrorCode::UnknownChannel);
    assert_eq!(code(one.kick("ada", GroupId::OFFICIAL, "carol").await), ErrorCode::Forbidden);
    one.kick("ada", GroupId::OFFICIAL, "bob").await.unwrap();
    one.send("bob", ChannelId::OFFICIAL, "back").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_official_group_is_never_listed_and_asks_little_of_the_store() {
    let world = World::new().await;
    let node = world.node("one").await;
    let mut clients = Vec::new();
    for number in 0..50 {
        clients.push(node.connect(&format!("user-{number}")).await);
    }
    for number in 0..50 {
        node.send(&format!("user-{number}"), ChannelId::OFFICIAL, &number.to_string()).await.unwrap();
    }
    assert_eq!(clients[0].messages().await.len(), 50);
    assert_eq!(world.store.lists_of_members(), 0);
    assert!(world.store.reads_of_groups() <= 2, "{}", world.store.reads_of_groups());
}

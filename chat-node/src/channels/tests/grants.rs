//! Changes of who may do what that meet others, or come late.

use std::sync::Arc;
use std::time::Duration;

use super::world::{Node, World, code, user};
use crate::channels::groups::GroupPatch;
use crate::error::{ErrorCode, Problem};
use crate::groups::{Override, OverrideTarget, Permissions, Role};
use crate::ids::GroupId;
use crate::store::{GroupStore, RoleWrite, Store};

/// Writes a role past the nodes, and does not say so.
async fn put_role(store: &Arc<dyn Store>, group: GroupId, (id, role): (&str, Option<Role>)) {
    let user = user(id).id;
    let over = store.seat(group, &user).await.unwrap().revision;
    store.set_role(group, &RoleWrite { user, role, over, since_ms: 0 }).await.unwrap();
}

/// Begins to give Bob a role.
fn begin_to_put(
    node: &Node,
    by: &str,
    group: GroupId,
    role: Role,
) -> tokio::task::JoinHandle<Result<(), Problem>> {
    let (channels, by) = (Arc::clone(&node.channels), user(by).id);
    let membership = crate::channels::groups::Membership { user_id: user("bob").id, role };
    tokio::spawn(async move { channels.put_member(&by, group, membership).await.map(drop) })
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_written_late_does_not_bring_back_who_was_put_out() {
    for role in [Role::Member, Role::Muted] {
        let world = World::new().await;
        let (one, two) = (world.node("one").await, world.node("two").await);
        let (group, channel) = world.group(&one, "ada", &["bob"]).await;
        world.store.grants.delay(1);
        assert_eq!(code(one.put("ada", group, ("bob", role)).await), ErrorCode::Unavailable);
        two.kick("ada", group, "bob").await.unwrap();
        world.store.land_delayed_grants().await;
        assert_eq!(world.store.roles(group, &[user("bob").id]).await, Ok(vec![]), "{role:?}");
        assert_eq!(code(one.send("bob", channel, "here").await), ErrorCode::UnknownChannel);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_put_out_while_they_are_being_added_does_not_come_in_late() {
    let world = World::new().await;
    let one = world.node("one").await;
    let (group, channel) = world.group(&one, "ada", &["carol"]).await;
    crate::store::UserStore::put_user(&*world.store, &user("bob")).await.unwrap();
    world.store.grants.delay(1);
    assert_eq!(code(one.put("ada", group, ("bob", Role::Member)).await), ErrorCode::Unavailable);
    assert_eq!(code(one.kick("ada", group, "bob").await), ErrorCode::UnknownUser);
    world.store.land_delayed_grants().await;
    assert_eq!(code(one.send("bob", channel, "here").await), ErrorCode::UnknownChannel);
    one.put("ada", group, ("bob", Role::Member)).await.unwrap();
    one.send("bob", channel, "here now").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_was_closed_is_not_opened_by_a_write_that_comes_late() {
    let world = World::new().await;
    let one = world.node("one").await;
    let (_, channel) = world.group(&one, "ada", &["bob"]).await;
    let (ada, bob) = (user("ada").id, OverrideTarget::User(user("bob").id));
    let (none, all) = (Permissions::NONE, Permissions::ALL);
    let open = vec![Override { target: bob.clone(), allow: all, deny: none }];
    let closed = vec![Override { target: bob, allow: none, deny: all }];
    world.store.grants.delay(1);
    assert_eq!(code(one.channels.set_overrides(&ada, channel, open).await), ErrorCode::Unavailable);
    one.channels.set_overrides(&ada, channel, closed.clone()).await.unwrap();
    world.store.land_delayed_grants().await;
    assert_eq!(one.channels.overrides(&ada, channel).await, Ok(closed));
    assert_eq!(code(one.send("bob", channel, "here").await), ErrorCode::UnknownChannel);
}

#[tokio::test(start_paused = true)]
async fn an_admin_does_not_change_whom_the_owner_has_just_made_one() {
    let world = World::new().await;
    let one = world.node("one").await;
    let (group, _) = world.group(&one, "ada", &["bob", "eve"]).await;
    one.put("ada", group, ("eve", Role::Admin)).await.unwrap();
    world.store.grants.hold(true);
    let banning = begin_to_put(&one, "eve", group, Role::Banned);
    a_moment().await;
    put_role(&world.store.behind(), group, ("bob", Some(Role::Admin))).await;
    world.store.grants.hold(false);
    assert_eq!(code(banning.await.unwrap()), ErrorCode::Forbidden);
    assert_eq!(one.channels.member(&user("ada").id, group, &user("bob").id).await.unwrap().role, Role::Admin);
}

#[tokio::test(start_paused = true)]
async fn two_who_change_a_groups_settings_at_once_both_change_them() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, _) = world.group(&one, "ada", &[]).await;
    world.store.grants.hold(true);
    let name = GroupPatch { name: Some("Poets".to_owned()), topic: None };
    let topic = GroupPatch { name: None, topic: Some("Verse".to_owned()) };
    let changing = [(&one, name), (&two, topic)].map(|(node, patch)| {
        let channels = Arc::clone(&node.channels);
        tokio::spawn(async move { channels.set_group_settings(&user("ada").id, group, patch).await })
    });
    a_moment().await;
    world.store.grants.hold(false);
    for changed in changing {
        changed.await.unwrap().unwrap();
    }
    let settings = world.store.group(group).await.unwrap().unwrap().settings;
    assert_eq!((settings.name.as_str(), settings.topic.as_str()), ("Poets", "Verse"));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_others_keep_overtaking_is_tried_again_and_then_refused_for_now() {
    let world = World::new().await;
    let one = world.node("one").await;
    let (group, _) = world.group(&one, "ada", &["bob"]).await;
    world.store.grants.overtake(5);
    one.put("ada", group, ("bob", Role::Muted)).await.unwrap();
    world.store.grants.overtake(6);
    let problem = one.put("ada", group, ("bob", Role::Member)).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::Unavailable);
    assert!(problem.retry_after.is_some() && problem.message.contains("others"), "{problem:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kick_that_broke_off_half_way_is_brought_to_its_end_by_the_next() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &["bob"]).await;
    let mut bob = two.connect("bob").await;
    one.send("ada", channel, "hello").await.unwrap();
    put_role(&world.store.behind(), group, ("bob", None)).await;
    one.send("ada", channel, "not known yet").await.unwrap();
    assert_eq!(bob.messages().await, ["hello", "not known yet"]);
    assert_eq!(code(one.kick("ada", group, "bob").await), ErrorCode::UnknownUser);
    one.send("ada", channel, "he is gone").await.unwrap();
    assert!(bob.messages().await.is_empty());
    assert_eq!(bob.obey(&two).await, (vec![], vec![channel]));
}

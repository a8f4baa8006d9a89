//! The official group as nodes are configured.

use super::world::{World, user};
use crate::groups::{GroupSettings, Role};
use crate::ids::{GroupId, Revision, UserId};
use crate::store::{GroupStore, RoleWrite};

async fn start(world: &World, admins: &[&str]) {
    let settings = GroupSettings { name: "Official".to_owned(), topic: String::new() };
    let admins: Vec<_> = admins.iter().map(|id| user(id).id).collect();
    // Each start is another node's.
    let node = world.node(&format!("for {}", admins.len())).await;
    node.channels.prepare_official(&settings, &admins).await.unwrap();
}

async fn admins(world: &World) -> Vec<UserId> {
    let rows = world.store.members(GroupId::OFFICIAL, None, 10).await.unwrap();
    rows.into_iter().filter(|row| row.role == Role::Admin).map(|row| row.user_id).collect()
}

#[tokio::test(start_paused = true)]
async fn who_is_no_longer_a_configured_admin_is_none_after_the_next_start() {
    let world = World::new().await;
    start(&world, &["ada", "bob"]).await;
    assert_eq!(admins(&world).await, ["ada", "bob"].map(|id| user(id).id));
    let version = world.store.group(GroupId::OFFICIAL).await.unwrap().unwrap().version;
    start(&world, &["bob", "ada"]).await;
    assert_eq!(world.store.group(GroupId::OFFICIAL).await.unwrap().unwrap().version, version);
    start(&world, &["bob", "carol"]).await;
    assert_eq!(admins(&world).await, ["bob", "carol"].map(|id| user(id).id));
    let group = world.store.group(GroupId::OFFICIAL).await.unwrap().unwrap();
    let changes = group.concerned_since(version).unwrap().len();
    assert_eq!(changes, 2, "both changes are announced, and nothing else");
    start(&world, &[]).await;
    assert_eq!(admins(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_admin_by_hand_stays_one_even_if_they_were_configured_meanwhile() {
    let world = World::new().await;
    let (user, role) = (user("ada").id, Some(Role::Admin));
    let by_hand = RoleWrite { user: user.clone(), role, over: Revision(0), since_ms: 0 };
    world.store.set_role(GroupId::OFFICIAL, &by_hand).await.unwrap();
    for configured in [&["bob"][..], &["ada", "bob"], &[]] {
        start(&world, configured).await;
        assert!(admins(&world).await.contains(&user), "{configured:?}");
    }
    assert_eq!(admins(&world).await, [user]);
}

#[tokio::test(start_paused = true)]
async fn an_admin_whose_start_broke_off_is_still_known_as_configured() {
    let world = World::new().await;
    let settings = GroupSettings { name: "Official".to_owned(), topic: String::new() };
    let node = world.node("one").await;
    world.store.grants.delay(1);
    node.channels.prepare_official(&settings, &[user("ada").id]).await.unwrap_err();
    world.store.land_delayed_grants().await;
    assert_eq!(admins(&world).await, [user("ada").id]);
    start(&world, &[]).await;
    assert_eq!(admins(&world).await, []);
}

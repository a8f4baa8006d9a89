//! The official group as nodes are configured.

use crds::Posting;

use super::world::{Node, World, code, user};
use crate::error::ErrorCode;
use crate::groups::{GroupSettings, Override, OverrideTarget, Permissions, Role};
use crate::ids::{ChannelId, GroupId, Revision, UserId};
use crate::store::{GroupStore, RoleWrite, UserStore};

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

/// How often the store is asked, and what a follower gets, when somebody comes and speaks where so many have an account.
async fn costs_among(accounts: u32) -> (u32, Vec<String>) {
    let world = World::new().await;
    for number in 0..accounts {
        world.store.put_user(&user(&format!("user-{number}"))).await.unwrap();
    }
    let node = world.node("one").await;
    let before = world.store.calls();
    let mut ada = node.connect("user-1").await;
    node.send("user-2", ChannelId::OFFICIAL, "hello").await.unwrap();
    let costs = world.store.calls() - before;
    (costs, ada.messages().await)
}

#[tokio::test(start_paused = true)]
async fn coming_and_speaking_cost_the_same_among_ten_and_ten_thousand_accounts() {
    let (few, messages) = costs_among(10).await;
    assert!(few > 0 && messages == ["hello"], "{few} {messages:?}");
    assert_eq!(costs_among(10_001).await, (few, messages));
}

/// Whether a user may write in the official channel, as the node shows it and as it acts.
async fn writes(node: &Node, id: &str, text: &str) -> bool {
    let official = |channels: Vec<crate::protocol::frame::ChannelView>| {
        channels.into_iter().find(|channel| channel.id == ChannelId::OFFICIAL).unwrap().permissions
    };
    let listed = official(node.channels.of_user(&user(id).id, &Default::default()).await.unwrap());
    let of_group = official(node.channels.channels_of(&user(id).id, GroupId::OFFICIAL).await.unwrap());
    assert!(listed.read && listed == of_group, "{listed:?} {of_group:?}");
    match node.send(id, ChannelId::OFFICIAL, text).await {
        Ok(_) => assert!(listed.send, "{id} wrote {text}"),
        Err(problem) => assert_eq!((problem.code, listed.send), (ErrorCode::Forbidden, false)),
    }
    listed.send
}

#[tokio::test(start_paused = true)]
async fn where_admins_post_the_others_read_from_the_next_start_on_and_back() {
    let world = World::new().await;
    start(&world, &["ada"]).await;
    for (number, (posting, bob)) in
        [(Posting::Everyone, true), (Posting::Admins, false), (Posting::Everyone, true)]
            .into_iter()
            .enumerate()
    {
        // A change of the settings starts the nodes anew.
        let node = world.node_with(&format!("{number}"), posting).await;
        let text = format!("in {number}");
        let mut reader = node.connect("bob").await;
        assert!(writes(&node, "ada", &text).await, "admins always write");
        assert_eq!(reader.messages().await, [text.as_str()], "and everyone reads");
        assert_eq!(writes(&node, "bob", &text).await, bob, "{posting:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_admins_post_they_may_let_others_write_and_other_channels_are_as_they_were() {
    let world = World::new().await;
    start(&world, &["ada"]).await;
    let node = world.node_with("one", Posting::Admins).await;
    let ada = user("ada").id;
    let (send, target) =
        (Permissions { send: true, ..Permissions::NONE }, OverrideTarget::User(user("bob").id));
    let guest = vec![Override { target, allow: send, deny: Permissions::NONE }];
    node.channels.set_overrides(&ada, ChannelId::OFFICIAL, guest.clone()).await.unwrap();
    assert_eq!(
        node.channels.overrides(&ada, ChannelId::OFFICIAL).await,
        Ok(guest),
        "the settings are none of them"
    );
    assert!(writes(&node, "bob", "a guest").await);
    assert!(!writes(&node, "carol", "no guest").await);
    let (_, channel) = world.group(&node, "ada", &["carol"]).await;
    node.send("carol", channel, "among friends").await.unwrap();
    assert_eq!(code(node.send("carol", ChannelId::OFFICIAL, "still").await), ErrorCode::Forbidden);
}

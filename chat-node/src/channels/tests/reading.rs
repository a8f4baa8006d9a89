//! Groups as their members and outsiders find them, what is unread, and what is introduced.

use super::world::{World, code, user};
use crate::channels::groups::{ChannelPlan, GroupPatch, Membership};
use crate::channels::history::PageSize;
use crate::error::ErrorCode;
use crate::groups::{GroupSettings, Role};
use crate::ids::{ChannelId, GroupId, Position};
use crate::protocol::message::ChannelSettings;
use crate::store::UserStore;

fn plan(name: &str) -> ChannelPlan {
    let settings = ChannelSettings { name: name.to_owned(), ..ChannelSettings::default() };
    ChannelPlan { settings, overrides: Vec::new() }
}

fn membership(id: &str, role: Role) -> Membership {
    Membership { user_id: user(id).id, role }
}

#[tokio::test(start_paused = true)]
async fn an_outsider_and_a_banned_user_learn_nothing_of_a_group() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (group, channel) = world.group(&node, "ada", &["bob", "eve"]).await;
    node.put("ada", group, ("bob", Role::Banned)).await.unwrap();
    node.kick("ada", group, "eve").await.unwrap();
    let nowhere = GroupId(12_345);
    let (it, page) = (&node.channels, (None, PageSize::default()));
    for id in ["bob", "eve"] {
        let (by, ada) = (user(id), user("ada"));
        for group in [group, nowhere] {
            let codes = [
                code(it.group(&by.id, group).await),
                code(it.set_group_settings(&by.id, group, GroupPatch::default()).await),
                code(it.delete_group(&by.id, group).await),
                code(it.channels_of(&by.id, group).await),
                code(it.create_channel(&by.id, group, plan("x")).await),
                code(it.members(&by.id, group, page).await),
                code(it.member(&by.id, group, &ada.id).await),
                code(it.put_member(&by.id, group, membership("eve", Role::Member)).await),
                code(it.remove_member(&by.id, group, &ada.id).await),
            ];
            assert_eq!(codes, [ErrorCode::UnknownGroup; 9], "{id}");
        }
        let codes = [
            code(it.channel(&by.id, channel).await),
            code(it.overrides(&by.id, channel).await),
            code(it.set_overrides(&by.id, channel, Vec::new()).await),
            code(it.delete_channel(&by.id, channel).await),
            code(it.set_channel_settings(&by, channel, Default::default()).await),
            code(it.mark_read(&by.id, channel, Position(1)).await),
            code(it.read_state(&by.id, channel).await),
        ];
        assert_eq!(codes, [ErrorCode::UnknownChannel; 7], "{id}");
        let (groups, _) = it.groups_of(&by.id, (None, PageSize::default())).await.unwrap();
        assert_eq!(groups.iter().map(|group| group.id).collect::<Vec<_>>(), [GroupId::OFFICIAL]);
    }
}

#[tokio::test(start_paused = true)]
async fn members_and_muted_ones_change_nothing_of_a_group_and_may_leave_it() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (group, channel) = world.group(&node, "ada", &["bob", "carol"]).await;
    node.put("ada", group, ("carol", Role::Muted)).await.unwrap();
    let it = &node.channels;
    for id in ["bob", "carol"] {
        let by = user(id);
        let codes = [
            code(it.set_group_settings(&by.id, group, GroupPatch::default()).await),
            code(it.delete_group(&by.id, group).await),
            code(it.create_channel(&by.id, group, plan("x")).await),
            code(it.put_member(&by.id, group, membership("eve", Role::Member)).await),
            code(it.put_member(&by.id, group, membership(id, Role::Admin)).await),
            code(it.remove_member(&by.id, group, &user("ada").id).await),
            code(it.overrides(&by.id, channel).await),
            code(it.set_overrides(&by.id, channel, Vec::new()).await),
            code(it.delete_channel(&by.id, channel).await),
            code(it.set_channel_settings(&by, channel, Default::default()).await),
        ];
        assert_eq!(codes, [ErrorCode::Forbidden; 10], "{id}");
        assert_eq!(it.group(&by.id, group).await.unwrap().name, "Friends");
        it.remove_member(&by.id, group, &by.id).await.unwrap();
        assert_eq!(code(it.group(&by.id, group).await), ErrorCode::UnknownGroup);
    }
    assert_eq!(code(node.kick("ada", group, "ada").await), ErrorCode::Forbidden, "owners stay");
}

#[tokio::test(start_paused = true)]
async fn admins_rule_those_below_them_and_the_owner_all() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (group, _) = world.group(&node, "ada", &["bob", "carol", "dora"]).await;
    node.put("ada", group, ("bob", Role::Admin)).await.unwrap();
    node.put("ada", group, ("dora", Role::Admin)).await.unwrap();
    assert_eq!(code(node.put("bob", group, ("dora", Role::Member)).await), ErrorCode::Forbidden);
    assert_eq!(code(node.put("bob", group, ("carol", Role::Admin)).await), ErrorCode::Forbidden);
    assert_eq!(code(node.put("bob", group, ("ada", Role::Member)).await), ErrorCode::Forbidden);
    assert_eq!(code(node.put("ada", group, ("carol", Role::Owner)).await), ErrorCode::Forbidden);
    assert_eq!(code(node.kick("bob", group, "ada").await), ErrorCode::Forbidden);
    assert_eq!(code(node.put("bob", group, ("nobody", Role::Member)).await), ErrorCode::UnknownUser);
    assert_eq!(code(node.kick("bob", group, "nobody").await), ErrorCode::UnknownUser);
    node.put("bob", group, ("carol", Role::Banned)).await.unwrap();
    let shown = async |id: &str| {
        let page = (None, PageSize::default());
        let page = node.channels.members(&user(id).id, group, page).await.unwrap();
        page.members.into_iter().map(|member| (member.user_id.to_string(), member.role)).collect::<Vec<_>>()
    };
    let all = [("ada", Role::Owner), ("bob", Role::Admin), ("carol", Role::Banned), ("dora", Role::Admin)];
    assert_eq!(shown("bob").await, all.map(|(id, role)| (id.to_owned(), role)));
    node.put("ada", group, ("dora", Role::Member)).await.unwrap();
    assert_eq!(shown("dora").await.len(), 3, "members do not see who is banned");
    node.kick("ada", group, "bob").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_official_group_has_no_owner_and_its_admins_are_those_of_the_settings() {
    let world = World::new().await;
    let node = world.node("one").await;
    let page = (None, PageSize::default());
    let ada = user("ada").id;
    for id in ["ada", "bob"] {
        world.store.put_user(&user(id)).await.unwrap();
    }
    let refused = node.channels.create_channel(&ada, GroupId::OFFICIAL, plan("news")).await;
    assert_eq!(code(refused), ErrorCode::Forbidden);
    let settings = GroupSettings { name: "All of us".to_owned(), topic: "Hello".to_owned() };
    for _ in 0..2 {
        node.channels.prepare_official(&settings, std::slice::from_ref(&ada)).await.unwrap();
    }
    let mut bob = node.connect("bob").await;
    let news = node.channels.create_channel(&ada, GroupId::OFFICIAL, plan("news")).await.unwrap();
    assert_eq!(bob.obey(&node).await.0, [news.id], "everyone is told");
    assert_eq!(code(node.channels.delete_channel(&ada, ChannelId::OFFICIAL).await), ErrorCode::Forbidden);
    assert_eq!(code(node.channels.delete_group(&ada, GroupId::OFFICIAL).await), ErrorCode::Forbidden);
    assert_eq!(code(node.kick("bob", GroupId::OFFICIAL, "bob").await), ErrorCode::Forbidden);
    assert_eq!(code(node.put("ada", GroupId::OFFICIAL, ("bob", Role::Admin)).await), ErrorCode::Forbidden);
    let listed = node.channels.members(&user("bob").id, GroupId::OFFICIAL, page).await;
    assert_eq!(code(listed), ErrorCode::Forbidden);
    node.put("ada", GroupId::OFFICIAL, ("bob", Role::Muted)).await.unwrap();
    assert_eq!(code(node.send("bob", ChannelId::OFFICIAL, "x").await), ErrorCode::Forbidden);
    node.put("ada", GroupId::OFFICIAL, ("bob", Role::Member)).await.unwrap();
    node.send("bob", ChannelId::OFFICIAL, "x").await.unwrap();
    let shown = node.channels.members(&ada, GroupId::OFFICIAL, page).await.unwrap();
    assert_eq!(shown.members.len(), 1, "who is only a member has no row");
    assert_eq!(node.channels.group(&ada, GroupId::OFFICIAL).await.unwrap().name, "All of us");
}

#[tokio::test(start_paused = true)]
async fn a_new_member_is_told_of_the_channels_and_has_read_what_was_before() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (group, channel) = world.group(&one, "ada", &[]).await;
    world.store.put_user(&user("bob")).await.unwrap();
    let mut bob = two.connect("bob").await;
    one.send("ada", channel, "before").await.unwrap();
    one.put("ada", group, ("bob", Role::Member)).await.unwrap();
    assert_eq!(bob.obey(&two).await, (vec![channel], vec![]));
    one.send("ada", channel, "after").await.unwrap();
    assert_eq!(bob.messages().await, ["after"]);
    let state = one.channels.read_state(&user("bob").id, channel).await.unwrap();
    assert_eq!((state.position, state.unread), (Position(1), 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_unread_is_counted_and_reading_is_told_to_the_users_connections() {
    let world = World::new().await;
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (_, channel) = world.group(&one, "ada", &["bob"]).await;
    for number in 0..105 {
        one.send("ada", channel, &number.to_string()).await.unwrap();
    }
    let mut bob = two.connect("bob").await;
    let view = bob.views.iter().find(|view| view.id == channel).unwrap();
    assert_eq!(
        (view.read, view.unread, view.last_message),
        (Some(Position(0)), Some(100), Some(Position(105)))
    );
    let bob_id = user("bob").id;
    let state = one.channels.mark_read(&bob_id, channel, Position(103)).await.unwrap();
    assert_eq!((state.position, state.unread), (Position(103), 2));
    let events = bob.events().await;
    let read = events.iter().find(|event| event["type"] == "read").unwrap();
    assert_eq!((&read["channel_id"], &read["position"]), (&channel.to_string().into(), &"103".into()));
    let back = one.channels.mark_read(&bob_id, channel, Position(7)).await.unwrap();
    assert_eq!(back.position, Position(103));
    let beyond = one.channels.mark_read(&bob_id, channel, Position(9_999)).await.unwrap();
    assert_eq!((beyond.position, beyond.unread), (Position(105), 0));
}

#[tokio::test(start_paused = true)]
async fn in_the_official_channel_nothing_is_unread_when_a_user_comes_for_the_first_time() {
    let world = World::new().await;
    let node = world.node("one").await;
    node.send("ada", ChannelId::OFFICIAL, "old").await.unwrap();
    let first = node.connect("bob").await;
    assert_eq!(first.views[0].unread, Some(0));
    node.send("ada", ChannelId::OFFICIAL, "new").await.unwrap();
    let again = node.connect("bob").await;
    assert_eq!(again.views[0].unread, Some(1));
}

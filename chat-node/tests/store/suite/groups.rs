use std::sync::Arc;

use chat_node::groups::{
    CHANGES_REMEMBERED, Concerned, GroupKind, GroupSettings, Member, Override, OverrideTarget, Permissions,
    Role,
};
use chat_node::ids::{AccessVersion, ChannelId, GroupId, Position, Revision};
use chat_node::protocol::message::{ChannelSettings, Entry};
use chat_node::store::{Channel, ChannelKind, NewChannel, Store, StoreError, Written};
use futures::future::join_all;

use super::fixture::{Fixture, OFFICIAL, T0, flakes, put, put_role, user, wanted};

const GROUP: GroupId = GroupId(4_000_000_000);

fn private(owner: &str) -> GroupKind {
    GroupKind::Private { owner: user(owner) }
}

fn named(name: &str) -> GroupSettings {
    GroupSettings { name: name.to_owned(), topic: String::new() }
}

fn new_channel(id: u64, group: GroupId) -> NewChannel {
    let settings = ChannelSettings { name: format!("channel {id}"), topic: "…".to_owned(), slow_mode_s: 5 };
    let deny = Permissions { send: true, ..Permissions::NONE };
    let for_members = Override { target: OverrideTarget::Role(Role::Member), allow: Permissions::NONE, deny };
    NewChannel { id: ChannelId(id), group, settings, overrides: vec![for_members] }
}

/// A node on which `ada` owns a group.
async fn with_group(fixture: &Fixture) -> Arc<dyn Store> {
    let node = fixture.node().await;
    node.create_group(GROUP, &private("ada"), &named("Analysts")).await.unwrap();
    node
}

async fn access(node: &dyn Store, channel: ChannelId) -> AccessVersion {
    node.channel(channel).await.unwrap().unwrap().access
}

pub async fn a_group_made_from_many_nodes_at_once_is_one(fixture: Fixture) {
    let node = fixture.node().await;
    assert_eq!(node.group(GROUP).await, Ok(None));
    let makes = (0..8).map(|_| async {
        let node = fixture.unprepared().await;
        node.create_group(GROUP, &private("ada"), &named("Analysts")).await.unwrap()
    });
    let made = join_all(makes).await;
    assert!(made.iter().all(|group| *group == made[0]), "{made:?}");
    assert_eq!((made[0].version, &made[0].settings), (AccessVersion(1), &named("Analysts")));
    assert_eq!(made[0].kind, private("ada"));
    assert_eq!(node.groups_of(&user("ada")).await, Ok(vec![(GROUP, Role::Owner)]));
    assert_eq!(node.set_group_settings(GROUP, &named("Engineers"), Revision(0)).await, Ok(Written::Yes));
    let again = node.create_group(GROUP, &private("bob"), &named("Others")).await.unwrap();
    assert_eq!((&again.settings, &again.kind), (&named("Engineers"), &private("ada")), "the first one stays");
    assert_eq!(node.group(GROUP).await, Ok(Some(again)));
}

pub async fn the_official_group_has_the_configured_name_and_the_first_channel(fixture: Fixture) {
    let node = fixture.node().await;
    node.bump(GroupId::OFFICIAL, &Concerned::Everyone).await.unwrap();
    let overrides = new_channel(9, GroupId::OFFICIAL).overrides;
    assert_eq!(node.set_overrides(OFFICIAL, &overrides, Revision(0)).await, Ok(Written::Yes));
    node.prepare("Everyone").await.unwrap();
    let group = node.group(GroupId::OFFICIAL).await.unwrap().unwrap();
    assert_eq!((group.kind, group.settings.name.as_str()), (GroupKind::Official, "Everyone"));
    assert_eq!(group.version, AccessVersion(2));
    let channels = node.channels_of(&[GroupId::OFFICIAL]).await.unwrap();
    let official = channels.first().unwrap();
    assert_eq!((channels.len(), official.id), (1, OFFICIAL));
    assert_eq!((&official.kind, official.access), (&ChannelKind::Group(GroupId::OFFICIAL), AccessVersion(2)));
    assert_eq!(official.overrides, overrides, "preparing again leaves them");
    assert_eq!(node.count_members(GroupId::OFFICIAL, 10).await, Ok(0));
}

pub async fn two_changes_at_once_are_both_noted(fixture: Fixture) {
    let node = with_group(&fixture).await;
    for id in [1_000, 1_001] {
        node.create_channel(&new_channel(id, GROUP)).await.unwrap();
    }
    let direct = node.open_direct(ChannelId(2_000), &[user("ada"), user("bob")]).await.unwrap().id;
    let bumps = (0..20).map(|n| {
        let fixture = &fixture;
        async move {
            let concerned = Concerned::User(user(&format!("user-{n}")));
            let version = fixture.unprepared().await.bump(GROUP, &concerned).await.unwrap().unwrap();
            (version, concerned)
        }
    });
    let mut bumped = join_all(bumps).await;
    bumped.sort_by_key(|(version, _)| *version);
    let versions: Vec<_> = bumped.iter().map(|(version, _)| version.0).collect();
    assert_eq!(versions, (2..=21).collect::<Vec<_>>());
    let group = node.group(GROUP).await.unwrap().unwrap();
    assert_eq!(group.version, AccessVersion(21));
    let noted: Vec<_> = bumped.into_iter().map(|(_, concerned)| concerned).collect();
    assert!(group.changes.ends_with(&noted), "each at the place of its version: {:?}", group.changes);
    for id in [1_000, 1_001] {
        assert_eq!(access(&*node, ChannelId(id)).await, AccessVersion(21));
        assert_eq!(node.reserve(ChannelId(id), wanted(1), T0).await.unwrap().access, AccessVersion(21));
    }
    assert_eq!(access(&*node, direct).await, AccessVersion(0));
    assert_eq!(access(&*node, OFFICIAL).await, AccessVersion(0));
}

pub async fn a_position_reserved_after_a_bump_carries_its_version(fixture: Fixture) {
    let node = with_group(&fixture).await;
    let channel = node.create_channel(&new_channel(1_000, GROUP)).await.unwrap().id;
    for _ in 0..10 {
        let (writer, reserves) = (fixture.unprepared().await, async {
            let mut seen = Vec::new();
            for _ in 0..5 {
                seen.push(fixture.unprepared().await.reserve(channel, wanted(1), T0).await.unwrap());
            }
            seen
        });
        let (version, seen) = tokio::join!(writer.bump(GROUP, &Concerned::Everyone), reserves);
        let version = version.unwrap().unwrap();
        assert!(seen.is_sorted_by_key(|reserved| (reserved.first, reserved.access)));
        let after = node.reserve(channel, wanted(1), T0).await.unwrap();
        assert_eq!(after.access, version);
    }
}

pub async fn an_entry_keeps_the_access_version_it_was_reserved_under(fixture: Fixture) {
    let node = fixture.node().await;
    node.bump(GroupId::OFFICIAL, &Concerned::Everyone).await.unwrap();
    let stored = put(&*node, &mut flakes(), T0, "a").await;
    assert_eq!(stored.access, AccessVersion(2));
    let read = node.entries_after(OFFICIAL, Position(0), 1).await.unwrap().remove(0);
    assert_eq!((read.access(), read), (AccessVersion(2), Entry::Message(stored)));
}

pub async fn only_the_last_changes_are_remembered(fixture: Fixture) {
    let node = with_group(&fixture).await;
    let all: Vec<_> = (0..CHANGES_REMEMBERED + 6)
        .map(|n| if n % 7 == 0 { Concerned::Everyone } else { Concerned::User(user(&n.to_string())) })
        .collect();
    for concerned in &all {
        node.bump(GROUP, concerned).await.unwrap();
    }
    let group = node.group(GROUP).await.unwrap().unwrap();
    assert_eq!(group.changes, all[6..]);
    assert_eq!(group.concerned_since(AccessVersion(group.version.0 - 2)), Some(&all[all.len() - 2..]));
}

pub async fn members_come_in_order_of_their_ids_page_by_page(fixture: Fixture) {
    let node = with_group(&fixture).await;
    // Their order is that of bytes: upper case first, a shorter name before a longer one.
    let mut names: Vec<_> = (0..120).map(|n| format!("member-{n:03}")).collect();
    names.extend(["Zoe", "a", "a.b", "ab", "member-1", "z:9", "_"].map(str::to_owned));
    for name in &names {
        put_role(&*node, GROUP, (name, Some(Role::Member)), 77).await;
    }
    node.create_group(GroupId(9), &private("stranger"), &named("Others")).await.unwrap();
    names.push("ada".to_owned());
    names.sort();
    let mut all: Vec<Member> = Vec::new();
    loop {
        let after = all.last().map(|member| member.user_id.clone());
        let page = node.members(GROUP, after.as_ref(), 50).await.unwrap();
        all.extend(page.iter().cloned());
        if page.len() < 50 {
            break;
        }
    }
    assert_eq!(all.iter().map(|member| member.user_id.to_string()).collect::<Vec<_>>(), names);
    assert!(all.iter().all(|member| member.role == Role::Owner || member.since_ms == 77));
    assert_eq!(node.count_members(GROUP, 1_000).await, Ok(128));
    assert_eq!(node.count_members(GROUP, 100).await, Ok(100));
    assert_eq!(node.count_members(GroupId(5), 100).await, Ok(0));
}

pub async fn a_users_groups_come_in_order_and_are_theirs_only(fixture: Fixture) {
    let node = fixture.node().await;
    let (bob, bo) = (user("bob"), user("bo"));
    for n in 0..105 {
        let role = if n % 2 == 0 { Role::Admin } else { Role::Banned };
        node.create_group(GroupId(1_000 + n), &private("ada"), &named("One")).await.unwrap();
        put_role(&*node, GroupId(1_000 + n), ("bob", Some(role)), 0).await;
    }
    node.create_group(GroupId(5_000), &private("ada"), &named("Another")).await.unwrap();
    put_role(&*node, GroupId(5_000), ("bo", Some(Role::Member)), 0).await;
    let groups = node.groups_of(&bob).await.unwrap();
    assert_eq!(groups.len(), 101);
    assert!(groups.iter().map(|(id, _)| id.0).eq(1_000..1_101));
    assert_eq!(groups[..2], [(GroupId(1_000), Role::Admin), (GroupId(1_001), Role::Banned)]);
    assert_eq!(node.groups_of(&bo).await, Ok(vec![(GroupId(5_000), Role::Member)]));
}

pub async fn a_groups_channels_are_made_once_listed_in_order_and_removed(fixture: Fixture) {
    let node = with_group(&fixture).await;
    let other = GroupId(GROUP.0 + 1);
    let new = [new_channel(1_002, GROUP), new_channel(1_001, other), new_channel(1_000, GROUP)];
    for channel in &new {
        let made = node.create_channel(channel).await.unwrap();
        let NewChannel { id, group, settings, overrides } = channel.clone();
        let (access, revision, zero) = (made.access, Revision(0), Position(0));
        assert!(access <= AccessVersion(1));
        let (head, last_message, folded, floor) = (zero, zero, zero, zero);
        let kind = ChannelKind::Group(group);
        assert_eq!(
            made,
            Channel { id, kind, settings, overrides, revision, access, head, last_message, folded, floor }
        );
    }
    node.reserve(ChannelId(1_000), wanted(3), T0).await.unwrap();
    let changed = NewChannel { overrides: Vec::new(), ..new[2].clone() };
    let again = node.create_channel(&changed).await.unwrap();
    assert_eq!((again.head, &again.overrides), (Position(3), &new[2].overrides), "it was there");
    let for_bob = Override { target: OverrideTarget::User(user("bob")), ..new[2].overrides[0].clone() };
    let for_bob = [for_bob];
    assert_eq!(node.set_overrides(ChannelId(1_000), &for_bob, Revision(0)).await, Ok(Written::Yes));
    let listed = node.channels_of(&[other, GROUP, GroupId(77)]).await.unwrap();
    assert_eq!(listed.iter().map(|channel| channel.id.0).collect::<Vec<_>>(), [1_000, 1_001, 1_002]);
    assert_eq!((listed[0].head, &listed[0].overrides), (Position(3), &for_bob.to_vec()));
    for _ in 0..2 {
        node.delete_channel(ChannelId(1_000)).await.unwrap();
    }
    assert_eq!(node.set_overrides(ChannelId(1_000), &[], Revision(1)).await, Ok(Written::Overtaken));
    assert_eq!(node.channel(ChannelId(1_000)).await, Ok(None));
    assert!(matches!(node.reserve(ChannelId(1_000), wanted(1), T0).await, Err(StoreError::Refused(_))));
    let left = node.channels_of(&[GROUP]).await.unwrap();
    assert_eq!(left.iter().map(|channel| channel.id.0).collect::<Vec<_>>(), [1_002]);
}

pub async fn a_deleted_group_takes_its_members_and_channels_along(fixture: Fixture) {
    let node = with_group(&fixture).await;
    let channel = node.create_channel(&new_channel(1_000, GROUP)).await.unwrap().id;
    put_role(&*node, GROUP, ("bob", Some(Role::Member)), 0).await;
    node.create_group(GroupId(9), &private("bob"), &named("Others")).await.unwrap();
    for _ in 0..2 {
        node.delete_group(GROUP).await.unwrap();
    }
    assert_eq!(node.group(GROUP).await, Ok(None));
    assert_eq!(node.channel(channel).await, Ok(None));
    assert_eq!(node.members(GROUP, None, 10).await, Ok(vec![]));
    assert_eq!(node.groups_of(&user("ada")).await, Ok(vec![]));
    assert_eq!(node.groups_of(&user("bob")).await, Ok(vec![(GroupId(9), Role::Owner)]));
    assert_eq!(node.bump(GROUP, &Concerned::Everyone).await, Ok(None));
    assert_eq!(node.set_group_settings(GROUP, &named("Ghosts"), Revision(0)).await, Ok(Written::Overtaken));
    assert_eq!(node.group(GROUP).await, Ok(None), "nothing brings it back");
}

//! Writes over a revision: whoever comes late finds another one.

use std::sync::Arc;

use chat_node::groups::{GroupKind, GroupSettings, Member, Override, OverrideTarget, Permissions, Role};
use chat_node::ids::{ChannelId, GroupId, Revision};
use chat_node::protocol::message::ChannelSettings;
use chat_node::store::{NewChannel, RoleWrite, Seat, Store, Written};
use futures::future::join_all;

use super::fixture::{Fixture, put_role, user};

const GROUP: GroupId = GroupId(4_000_000_000);

/// A node on which `ada` owns a group.
async fn with_group(fixture: &Fixture) -> Arc<dyn Store> {
    let node = fixture.node().await;
    let kind = GroupKind::Private { owner: user("ada") };
    node.create_group(GROUP, &kind, &named("Analysts")).await.unwrap();
    node
}

fn named(name: &str) -> GroupSettings {
    GroupSettings { name: name.to_owned(), topic: String::new() }
}

fn bob(role: Option<Role>, over: u64) -> RoleWrite {
    RoleWrite { user: user("bob"), role, over: Revision(over), since_ms: 5 }
}

fn seat(role: Option<Role>, revision: u64) -> Seat {
    Seat { role, revision: Revision(revision) }
}

pub async fn a_role_is_changed_in_place(fixture: Fixture) {
    let node = with_group(&fixture).await;
    assert_eq!(node.seat(GROUP, &user("bob")).await, Ok(Seat::default()));
    for (role, since_ms) in [(Role::Member, 5), (Role::Banned, 6), (Role::Muted, 7)] {
        put_role(&*node, GROUP, ("bob", Some(role)), since_ms).await;
    }
    assert_eq!(node.seat(GROUP, &user("bob")).await, Ok(seat(Some(Role::Muted), 3)));
    let asked = ["eve", "bob", "ada"].map(user);
    let mut roles = node.roles(GROUP, &asked).await.unwrap();
    roles.sort();
    assert_eq!(roles, [(user("ada"), Role::Owner), (user("bob"), Role::Muted)]);
    let row = node.members(GROUP, Some(&user("ada")), 10).await.unwrap().remove(0);
    assert_eq!(row, Member { user_id: user("bob"), role: Role::Muted, since_ms: 5 });
    assert_eq!(node.roles(GROUP, &[]).await, Ok(vec![]));
}

pub async fn a_role_write_that_comes_late_changes_nothing(fixture: Fixture) {
    let node = with_group(&fixture).await;
    let late = [bob(Some(Role::Member), 0), bob(Some(Role::Admin), 1), bob(None, 1)];
    for write in [bob(Some(Role::Member), 0), bob(Some(Role::Muted), 1), bob(None, 2)] {
        assert_eq!(node.set_role(GROUP, &write).await, Ok(Written::Yes), "{write:?}");
    }
    for write in &late {
        assert_eq!(node.set_role(GROUP, write).await, Ok(Written::Overtaken), "{write:?}");
    }
    assert_eq!(node.seat(GROUP, &user("bob")).await, Ok(seat(None, 3)));
    assert_eq!(node.set_role(GROUP, &bob(Some(Role::Banned), 3)).await, Ok(Written::Yes));
    for write in &late {
        assert_eq!(node.set_role(GROUP, write).await, Ok(Written::Overtaken), "{write:?}");
    }
    assert_eq!(node.seat(GROUP, &user("bob")).await, Ok(seat(Some(Role::Banned), 4)));
}

pub async fn who_is_put_out_before_they_come_in_stays_out(fixture: Fixture) {
    let node = with_group(&fixture).await;
    assert_eq!(node.set_role(GROUP, &bob(None, 0)).await, Ok(Written::Yes));
    assert_eq!(node.set_role(GROUP, &bob(Some(Role::Member), 0)).await, Ok(Written::Overtaken));
    assert_eq!(node.seat(GROUP, &user("bob")).await, Ok(seat(None, 1)));
    assert_eq!(node.count_members(GROUP, 10).await, Ok(1));
}

pub async fn a_role_write_that_meets_its_own_success_has_succeeded(fixture: Fixture) {
    let node = with_group(&fixture).await;
    for write in [bob(Some(Role::Member), 0), bob(Some(Role::Muted), 1), bob(None, 2), bob(None, 3)] {
        for _ in 0..2 {
            assert_eq!(node.set_role(GROUP, &write).await, Ok(Written::Yes), "{write:?}");
        }
    }
    assert_eq!(node.seat(GROUP, &user("bob")).await, Ok(seat(None, 4)));
}

pub async fn of_many_role_writes_at_once_over_one_revision_one_holds(fixture: Fixture) {
    let node = with_group(&fixture).await;
    let roles = [Some(Role::Member), Some(Role::Muted), Some(Role::Banned), None];
    for over in 0..4 {
        let fixture = &fixture;
        let writes = roles.map(|role| async move {
            fixture.unprepared().await.set_role(GROUP, &bob(role, over)).await.unwrap()
        });
        let outcomes = join_all(writes).await;
        let held: Vec<_> =
            roles.iter().zip(outcomes).filter(|(_, outcome)| *outcome == Written::Yes).collect();
        assert_eq!(held.len(), 1, "{held:?}");
        let known = node.seat(GROUP, &user("bob")).await.unwrap();
        assert_eq!(known, seat(*held[0].0, over + 1));
    }
}

pub async fn a_removed_member_leaves_nothing_that_counts_as_one(fixture: Fixture) {
    let node = with_group(&fixture).await;
    for name in ["alan", "bob", "carol"] {
        put_role(&*node, GROUP, (name, Some(Role::Member)), 5).await;
    }
    put_role(&*node, GROUP, ("bob", None), 6).await;
    let names = |page: Vec<Member>| page.iter().map(|member| member.user_id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(node.members(GROUP, None, 10).await.unwrap()), ["ada", "alan", "carol"]);
    assert_eq!(names(node.members(GROUP, Some(&user("alan")), 1).await.unwrap()), ["carol"]);
    assert_eq!(node.count_members(GROUP, 10).await, Ok(3));
    assert_eq!(node.groups_of(&user("bob")).await, Ok(vec![]));
    let roles = node.roles(GROUP, &["bob", "carol"].map(user)).await;
    assert_eq!(roles, Ok(vec![(user("carol"), Role::Member)]));

    put_role(&*node, GROUP, ("bob", Some(Role::Member)), 9).await;
    let back = node.members(GROUP, Some(&user("alan")), 1).await.unwrap().remove(0);
    assert_eq!(back, Member { user_id: user("bob"), role: Role::Member, since_ms: 9 }, "since they are back");
    assert_eq!(node.groups_of(&user("bob")).await, Ok(vec![(GROUP, Role::Member)]));
    put_role(&*node, GROUP, ("bob", None), 10).await;
    node.delete_group(GROUP).await.unwrap();
    assert_eq!(node.members(GROUP, None, 10).await, Ok(vec![]));
    assert_eq!(node.groups_of(&user("bob")).await, Ok(vec![]));
}

pub async fn overrides_that_come_late_change_nothing(fixture: Fixture) {
    let node = with_group(&fixture).await;
    let channel = ChannelId(1_000);
    let (settings, overrides) = (ChannelSettings::default(), Vec::new());
    node.create_channel(&NewChannel { id: channel, group: GROUP, settings, overrides }).await.unwrap();
    let deny = |role| Override {
        target: OverrideTarget::Role(role),
        allow: Permissions::NONE,
        deny: Permissions::ALL,
    };
    let (open, closed) = (Vec::new(), vec![deny(Role::Member)]);
    for _ in 0..2 {
        assert_eq!(node.set_overrides(channel, &closed, Revision(0)).await, Ok(Written::Yes));
    }
    assert_eq!(node.set_overrides(channel, &open, Revision(0)).await, Ok(Written::Overtaken));
    let known = node.channel(channel).await.unwrap().unwrap();
    assert_eq!((known.overrides, known.revision), (closed, Revision(1)));
    assert_eq!(node.set_overrides(channel, &open, Revision(1)).await, Ok(Written::Yes));
    let listed = node.channels_of(&[GROUP]).await.unwrap().remove(0);
    assert_eq!((listed.overrides, listed.revision), (open, Revision(2)));
    assert_eq!(node.set_overrides(ChannelId(77), &[], Revision(0)).await, Ok(Written::Overtaken));
}

pub async fn settings_of_a_group_that_come_late_change_nothing(fixture: Fixture) {
    let node = with_group(&fixture).await;
    for _ in 0..2 {
        let written = node.set_group_settings(GROUP, &named("Engineers"), Revision(0)).await;
        assert_eq!(written, Ok(Written::Yes));
    }
    let written = node.set_group_settings(GROUP, &named("Poets"), Revision(0)).await;
    assert_eq!(written, Ok(Written::Overtaken));
    let known = node.group(GROUP).await.unwrap().unwrap();
    assert_eq!((known.settings, known.revision), (named("Engineers"), Revision(1)));
    let appointed = ["bob", "carol"].map(user);
    for _ in 0..2 {
        assert_eq!(node.set_appointed(GROUP, &appointed, Revision(1)).await, Ok(Written::Yes));
    }
    let written = node.set_group_settings(GROUP, &named("Poets"), Revision(1)).await;
    assert_eq!(written, Ok(Written::Overtaken));
    assert_eq!(node.set_appointed(GROUP, &[], Revision(1)).await, Ok(Written::Overtaken));
    let written = node.set_group_settings(GROUP, &named("Poets"), Revision(2)).await;
    assert_eq!(written, Ok(Written::Yes));
    let known = node.group(GROUP).await.unwrap().unwrap();
    assert_eq!((known.settings, known.appointed.as_slice()), (named("Poets"), &appointed[..]));
}

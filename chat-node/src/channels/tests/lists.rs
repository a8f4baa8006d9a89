//! The channels of one user.

use super::world::{World, user};
use crate::groups::{CHANNELS_OF_GROUP_MAX, GroupKind, GroupSettings};
use crate::hub::connections::FOLLOWED_MAX;
use crate::ids::{ChannelId, GroupId};
use crate::protocol::message::ChannelSettings;
use crate::store::{ChannelStore, GroupStore, NewChannel, UserStore};

#[tokio::test(start_paused = true)]
async fn a_connection_follows_so_many_channels_the_official_and_direct_ones_first() {
    let world = World::new().await;
    let node = world.node("one").await;
    let (ada, bob) = (user("ada").id, user("bob").id);
    for id in ["ada", "bob"] {
        world.store.put_user(&user(id)).await.unwrap();
    }
    let groups = (FOLLOWED_MAX / CHANNELS_OF_GROUP_MAX) as u64;
    for group in 1_000..1_000 + groups {
        let (id, kind) = (GroupId(group), GroupKind::Private { owner: ada.clone() });
        world.store.create_group(id, &kind, &GroupSettings::default()).await.unwrap();
        for number in 0..CHANNELS_OF_GROUP_MAX as u64 {
            let (id, settings) = (ChannelId(group * 100 + number), ChannelSettings::default());
            let new = NewChannel { id, group: GroupId(group), settings, overrides: Vec::new() };
            world.store.create_channel(&new).await.unwrap();
        }
    }
    let direct = world.store.open_direct(ChannelId(7), &[ada.clone(), bob]).await.unwrap().id;
    let mut client = node.connect("ada").await;
    let followed: Vec<_> = client.views.iter().map(|view| view.id).collect();
    assert_eq!(followed.len(), FOLLOWED_MAX);
    assert_eq!(followed[..2], [ChannelId::OFFICIAL, direct]);
    let listed = node.channels.own_channels(&ada).await.unwrap();
    assert!(listed.iter().map(|view| view.id).eq(followed.iter().copied()));

    // The rest can be read and written all the same.
    let last = ChannelId((1_000 + groups - 1) * 100 + CHANNELS_OF_GROUP_MAX as u64 - 1);
    assert!(!followed.contains(&last));
    node.send("ada", last, "unheard").await.unwrap();
    assert_eq!(node.reads("ada", last).await.unwrap().len(), 1);
    node.send("ada", direct, "heard").await.unwrap();
    assert_eq!(client.messages().await, ["heard"]);
}

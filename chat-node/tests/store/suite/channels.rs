use std::collections::BTreeSet;

use chat_node::groups::Concerned;
use chat_node::ids::{AccessVersion, ChannelId, GroupId, Position};
use chat_node::store::{ChannelKind, Head, Reservation, StoreError};
use futures::future::join_all;

use super::fixture::{Fixture, HOUR_MS, OFFICIAL, T0, user, wanted};

pub async fn a_direct_channel_opened_from_many_nodes_at_once_is_one(fixture: Fixture) {
    fixture.node().await;
    let pair = [user("ada"), user("bob")];
    let opens = (0..5).map(|n| {
        let (fixture, pair) = (&fixture, &pair);
        async move { fixture.unprepared().await.open_direct(ChannelId(1_000 + n), pair).await.unwrap() }
    });
    let opened = join_all(opens).await;
    assert!(opened.iter().all(|channel| *channel == opened[0]), "{opened:?}");
    assert_eq!(opened[0].kind, ChannelKind::Direct(pair));
    let node = fixture.unprepared().await;
    for name in ["ada", "bob"] {
        assert_eq!(node.direct_channels(&user(name)).await.as_deref(), Ok(&opened[..1]));
    }
    assert_eq!(node.channel(opened[0].id).await.unwrap().as_ref(), Some(&opened[0]));
}

pub async fn a_users_direct_channels_come_newest_first_and_are_theirs_only(fixture: Fixture) {
    let node = fixture.node().await;
    for n in 0..110 {
        let pair = [user("ada"), user(&format!("peer-{n:03}"))];
        node.open_direct(ChannelId(1_000 + n), &pair).await.unwrap();
    }
    node.open_direct(ChannelId(5_000), &[user("peer-001"), user("zoe")]).await.unwrap();
    let ids: Vec<_> =
        node.direct_channels(&user("ada")).await.unwrap().iter().map(|channel| channel.id.0).collect();
    assert_eq!(ids, (1_010..1_110).rev().collect::<Vec<_>>());
    let ids: Vec<_> =
        node.direct_channels(&user("zoe")).await.unwrap().iter().map(|channel| channel.id.0).collect();
    assert_eq!(ids, [5_000]);
    assert_eq!(node.direct_channels(&user("ad")).await, Ok(vec![]));
}

pub async fn heads_are_told_of_the_channels_that_exist(fixture: Fixture) {
    let node = fixture.node().await;
    let direct = node.open_direct(ChannelId(1_000), &[user("ada"), user("bob")]).await.unwrap().id;
    node.reserve(OFFICIAL, wanted(3), T0).await.unwrap();
    let access = node.bump(GroupId::OFFICIAL, &Concerned::Everyone).await.unwrap().unwrap();
    let mut heads = node.heads(&[direct, ChannelId(9_999), OFFICIAL]).await.unwrap();
    heads.sort();
    let head = |position, access| Head { position: Position(position), access, floor: Position(0) };
    assert_eq!(heads, [(OFFICIAL, head(3, access)), (direct, head(0, AccessVersion(0)))]);
    assert_eq!(node.heads(&[]).await, Ok(vec![]));
}

pub async fn positions_and_times_grow_when_the_writers_clock_goes_back(fixture: Fixture) {
    let node = fixture.node().await;
    let reserve = async |count, now_ms| node.reserve(OFFICIAL, wanted(count), now_ms).await.unwrap();
    let at = |first, first_ms| Reservation { first: Position(first), first_ms, access: AccessVersion(0) };
    assert_eq!(reserve(1, T0).await, at(1, T0));
    assert_eq!(reserve(64, T0 + HOUR_MS).await, at(2, T0 + HOUR_MS));
    assert_eq!(reserve(2, T0).await, at(66, T0 + HOUR_MS + 64));
    assert_eq!(reserve(1, T0 + HOUR_MS + 66).await, at(68, T0 + HOUR_MS + 66));
    assert_eq!(reserve(1, T0 + HOUR_MS + 66).await, at(69, T0 + HOUR_MS + 67));
    assert_eq!(node.channel(OFFICIAL).await.unwrap().unwrap().head, Position(69));
}

pub async fn reserving_at_once_gives_nobody_the_same_position(fixture: Fixture) {
    fixture.node().await;
    let reserves = (0..60_u16).map(|n| {
        let fixture = &fixture;
        async move {
            let count = 1 + n % 5;
            let got = fixture.unprepared().await.reserve(OFFICIAL, wanted(count), T0).await.unwrap();
            (0..u64::from(count)).map(move |n| (got.first.0 + n, got.first_ms + n))
        }
    });
    let all: Vec<_> = join_all(reserves).await.into_iter().flatten().collect();
    let places: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(places, (0..180).map(|n| (1 + n, T0 + n)).collect());
    assert_eq!(all.len(), 180);
}

pub async fn an_unknown_channel_is_none_and_cannot_be_reserved_on(fixture: Fixture) {
    let node = fixture.node().await;
    assert_eq!(node.channel(ChannelId(42)).await, Ok(None));
    assert!(matches!(node.reserve(ChannelId(42), wanted(1), T0).await, Err(StoreError::Refused(_))));
}

use std::sync::Arc;

use chat_node::ids::{AccessVersion, ChannelId, MessageId, Position};
use chat_node::protocol::attachment::{Attachment, Embed};
use chat_node::protocol::message::{Change, Composed, Entry, Message, MessageFlags, Place, User};
use chat_node::store::{Around, Inserted, Store, StoreError};
use futures::future::join_all;

use super::fixture::{Fixture, HOUR_MS, OFFICIAL, T0, change, flakes, message, put, user, void, wanted};

fn at(ms: u64, server: u64) -> MessageId {
    MessageId(flakes().take(ms).unwrap() | server << 12)
}

pub async fn an_entry_comes_back_as_it_was_stored(fixture: Fixture) {
    let node = fixture.node().await;
    let place = Place {
        id: at(T0, 1023),
        channel_id: ChannelId(i64::MAX as u64),
        position: Position(1),
        access: AccessVersion(i64::MAX as u64),
    };
    let (title, url) = (Some("t".to_owned()), Some("https://x".to_owned()));
    let composed = Composed {
        content: "x".repeat(4_000) + "\0…",
        mentions: vec![user("bob"), user("eve")],
        mention_everyone: true,
        reference: Some(MessageId(7)),
        attachments: vec![Attachment {
            filename: "$a.b".to_owned(),
            size: u64::from(u32::MAX) + 1,
            content_type: Some("image/png".to_owned()),
            url: "https://x".to_owned(),
            width: Some(u32::MAX),
            height: None,
        }],
        embeds: vec![Embed { title, url, color: Some(0xff_ffff), ..Embed::default() }, Embed::default()],
        flags: MessageFlags(4_100),
    };
    let author = User { id: user("ada"), name: "Ada Lovelace".to_owned() };
    let stored = Message::new(place, author, "n-1".to_owned(), composed);
    let gap = Entry::Void { channel_id: stored.channel_id, position: Position(2) };
    let entries = [Entry::Message(stored.clone()), gap];
    assert_eq!(node.insert(&entries).await, Ok(vec![Inserted::New, Inserted::New]));
    assert_eq!(node.entries_after(stored.channel_id, Position(0), 10).await.as_deref(), Ok(&entries[..]));
    assert_eq!(node.history(stored.channel_id, Around::End, 10).await, Ok(vec![stored.clone()]));
    assert_eq!(node.find_nonce(stored.channel_id, &user("ada"), "n-1").await, Ok(Some(stored)));
}

pub async fn a_repeated_insert_counts_as_new(fixture: Fixture) {
    let node = fixture.node().await;
    let entries: Vec<_> =
        (1..=5).map(|n| Entry::Message(message(at(T0 + n, 1), Position(n), &n.to_string()))).collect();
    assert_eq!(node.insert(&entries[..3]).await, Ok(vec![Inserted::New; 3]));
    assert_eq!(node.insert(&entries).await, Ok(vec![Inserted::New; 5]));
    assert_eq!(node.entries_after(OFFICIAL, Position(0), 10).await, Ok(entries));
}

pub async fn a_nonce_is_stored_once_when_many_race(fixture: Fixture) {
    fixture.node().await;
    for round in 0..5_u64 {
        let inserts = (0..5_u64).map(|n| {
            let fixture = &fixture;
            async move {
                let (id, position) = (at(T0 + round * 5 + n, n), Position(round * 5 + n + 1));
                let own = message(id, position, &format!("race {round}"));
                let outcome = insert_until_answered(&*fixture.unprepared().await, &own).await;
                (own, outcome)
            }
        });
        let done = join_all(inserts).await;
        let won: Vec<_> = done.iter().filter(|(_, outcome)| *outcome == Inserted::New).collect();
        assert_eq!(won.len(), 1, "{done:?}");
        let first = Inserted::Known(won[0].0.clone());
        assert!(done.iter().all(|(own, outcome)| *own == won[0].0 || *outcome == first), "{done:?}");
    }
}

/// A compatible store may take a second for each writer of one key that is in another's way, which is longer than a
/// call may last.
async fn insert_until_answered(store: &dyn Store, own: &Message) -> Inserted {
    for _ in 0..20 {
        match store.insert(&[Entry::Message(own.clone())]).await {
            Err(StoreError::Unavailable(_)) => {}
            done => return done.unwrap().remove(0),
        }
    }
    panic!("no answer at all")
}

pub async fn one_nonce_in_two_channels_or_of_two_authors_are_different_messages(fixture: Fixture) {
    let node = fixture.node().await;
    let first = message(at(T0, 1), Position(1), "n");
    let (mut channel, mut author) =
        (message(at(T0, 2), Position(1), "n"), message(at(T0 + 1, 1), Position(2), "n"));
    channel.channel_id = ChannelId(77);
    author.author.id = user("bob");
    for other in [first, channel, author] {
        assert_eq!(node.insert(&[Entry::Message(other)]).await, Ok(vec![Inserted::New]));
    }
    assert_eq!(node.find_nonce(OFFICIAL, &user("eve"), "n").await, Ok(None));
}

pub async fn an_id_that_is_taken_leaves_the_position_open(fixture: Fixture) {
    let node = fixture.node().await;
    let first = put(&*node, &mut flakes(), T0, "a").await;
    let second = Entry::Message(message(first.id, Position(2), "b"));
    assert_eq!(node.insert(&[second]).await, Ok(vec![Inserted::IdTaken]));
    assert_eq!(node.insert(&[void(Position(2))]).await, Ok(vec![Inserted::New]));
}

pub async fn either_the_seal_or_the_late_writer_wins(fixture: Fixture) {
    let (reader, writer) = (fixture.node().await, fixture.unprepared().await);
    for n in 1..=20 {
        let late = [Entry::Message(message(at(T0 + n, 1), Position(n), &n.to_string()))];
        let seal = [void(Position(n))];
        let (sealed, written) = tokio::join!(reader.insert(&seal), writer.insert(&late));
        let outcomes = (sealed.unwrap().remove(0), written.unwrap().remove(0));
        let winner = match outcomes {
            (Inserted::New, Inserted::PositionTaken) => &seal,
            (Inserted::PositionTaken, Inserted::New) => &late,
            both => panic!("at {n}: {both:?}"),
        };
        assert_eq!(reader.entries_after(OFFICIAL, Position(n - 1), 10).await.as_deref(), Ok(&winner[..]));
    }
}

pub async fn a_mixed_insert_tells_each_entrys_outcome(fixture: Fixture) {
    let node = fixture.node().await;
    let first = put(&*node, &mut flakes(), T0, "a").await;
    node.insert(&[void(Position(3))]).await.unwrap();
    let new =
        |position, nonce: &str| Entry::Message(message(at(T0 + position, 2), Position(position), nonce));
    let entries = [
        new(2, "b"),
        new(3, "c"),
        new(4, "a"),
        void(Position(1)),
        new(5, "d"),
        new(6, "d"),
        void(Position(7)),
    ];
    let Entry::Message(fifth) = entries[4].clone() else { panic!("a void") };
    let expected = [
        Inserted::New,
        Inserted::PositionTaken,
        Inserted::Known(first),
        Inserted::PositionTaken,
        Inserted::New,
        Inserted::Known(fifth),
        Inserted::New,
    ];
    assert_eq!(node.insert(&entries).await.as_deref(), Ok(&expected[..]));
}

/// All messages, page by page, as a client reads them.
async fn pages(store: &dyn Store, size: u16) -> Vec<MessageId> {
    let mut all = Vec::new();
    loop {
        let page = store
            .history(OFFICIAL, all.last().copied().map_or(Around::End, Around::Before), size)
            .await
            .unwrap();
        all.extend(page.iter().map(|message| message.id));
        if page.len() < usize::from(size) {
            return all;
        }
    }
}

pub async fn history_pages_join_without_gap_across_buckets_empty_ones_and_voids(fixture: Fixture) {
    let (node, mut flakes, mut ids) = (fixture.node().await, flakes(), Vec::new());
    // The last ms of a bucket, the first of the next, then a full one, then one after 300 empty ones.
    let full = (0..40).map(|n| 2 * HOUR_MS + 2 * n);
    let times = [HOUR_MS - 1, HOUR_MS].into_iter().chain(full).chain([303 * HOUR_MS, 304 * HOUR_MS - 1]);
    for (n, time) in times.enumerate() {
        let stored = put(&*node, &mut flakes, T0 + time, &n.to_string()).await;
        assert_eq!(stored.timestamp_ms, T0 + time);
        ids.insert(0, stored.id);
        if time >= 2 * HOUR_MS {
            let reserved = node.reserve(OFFICIAL, wanted(1), 0).await.unwrap();
            node.insert(&[void(reserved.first)]).await.unwrap();
        }
    }
    for size in [1, 2, 3, 41, 44, 100] {
        assert_eq!(pages(&*node, size).await, ids, "pages of {size}");
    }
    // A node that did not write them sees the same.
    assert_eq!(pages(&*fixture.unprepared().await, 7).await, ids);
}

pub async fn a_page_takes_messages_that_stand_alone_in_a_hundred_buckets(fixture: Fixture) {
    let (node, mut flakes, mut ids) = (fixture.node().await, flakes(), Vec::new());
    for n in 0..130 {
        ids.insert(0, put(&*node, &mut flakes, T0 + n * 3 * HOUR_MS, &n.to_string()).await.id);
    }
    let page: Vec<_> =
        node.history(OFFICIAL, Around::End, 100).await.unwrap().iter().map(|message| message.id).collect();
    assert_eq!(page, ids[..100]);
    assert_eq!(pages(&*node, 100).await, ids);
}

pub async fn history_before_an_id_that_does_not_exist_starts_below_it(fixture: Fixture) {
    let (node, mut flakes) = (fixture.node().await, flakes());
    let (first, second) =
        (put(&*node, &mut flakes, T0, "a").await, put(&*node, &mut flakes, T0 + HOUR_MS, "b").await);
    let history =
        async |before: u64| node.history(OFFICIAL, Around::Before(MessageId(before)), 10).await.unwrap();
    assert_eq!(history(u64::MAX).await, [second, first.clone()]);
    assert_eq!(history(first.id.0 + 1).await, std::slice::from_ref(&first));
    assert_eq!(history(first.id.0).await, []);
    assert_eq!(history(0).await, []);
}

pub async fn history_goes_both_ways_from_any_message_across_empty_buckets(fixture: Fixture) {
    let (node, mut flakes, mut ids) = (fixture.node().await, flakes(), Vec::new());
    // Most messages stand alone, with up to 90 empty buckets between; the middle hour has many.
    let times = (0..9).map(|n| n * n * 10 * HOUR_MS).chain((0..20).map(|n| 900 * HOUR_MS + n));
    for (n, time) in times.chain((0..6).map(|n| (910 + n * n) * HOUR_MS)).enumerate() {
        ids.push(put(&*node, &mut flakes, T0 + time, &n.to_string()).await.id);
    }
    let page = async |around, limit| {
        let page = node.history(OFFICIAL, around, limit).await.unwrap();
        page.iter().rev().map(|message| message.id).collect::<Vec<_>>()
    };
    for (index, id) in ids.iter().enumerate() {
        let (before, after) = (&ids[..index], &ids[index + 1..]);
        for limit in [1, 2, 7, 100] {
            let last = before.len().saturating_sub(limit.into());
            assert_eq!(page(Around::Before(*id), limit).await, before[last..], "{limit} before {index}");
            let end = after.len().min(limit.into());
            assert_eq!(page(Around::After(*id), limit).await, after[..end], "{limit} after {index}");
            let newer = after.len().min(usize::from(limit) / 2);
            let until = &ids[..=index + newer];
            let middle = &until[until.len().saturating_sub(limit.into())..];
            assert_eq!(page(Around::Middle(*id), limit).await, middle, "{limit} around {index}");
        }
    }
    assert_eq!(page(Around::After(MessageId(0)), 3).await, ids[..3]);
    assert_eq!(page(Around::After(MessageId(u64::MAX)), 3).await, []);
    let between = MessageId(ids[3].0 + 1);
    assert_eq!(page(Around::Middle(between), 4).await, ids[2..=5], "around what is not there");
}

pub async fn history_finds_what_lies_beyond_hundreds_of_buckets_without_messages(fixture: Fixture) {
    let (node, mut flakes) = (fixture.node().await, flakes());
    let first = put(&*node, &mut flakes, T0, "first").await;
    let mut pin = |hours: u64| {
        let id = MessageId(flakes.take(T0 + hours * HOUR_MS).unwrap());
        let pin = Change::Pin { message_id: first.id, pinned: hours.is_multiple_of(2) };
        Entry::Change(change(id, Position(1 + hours), pin))
    };
    let pins: Vec<_> = (1..=600).map(&mut pin).collect();
    node.reserve(OFFICIAL, wanted(600), T0 + HOUR_MS).await.unwrap();
    for part in pins.chunks(50) {
        node.insert(part).await.unwrap();
    }
    let last = put(&*node, &mut flakes, T0 + 601 * HOUR_MS, "last").await;
    assert_eq!(node.history(OFFICIAL, Around::Before(last.id), 10).await, Ok(vec![first.clone()]));
    assert_eq!(node.history(OFFICIAL, Around::After(first.id), 10).await, Ok(vec![last]));
}

pub async fn entries_after_a_position_come_in_order_up_to_the_limit(fixture: Fixture) {
    let node: Arc<dyn Store> = fixture.node().await;
    let entries: Vec<_> = (1..=600)
        .map(|n| {
            if n % 10 == 0 {
                void(Position(n))
            } else {
                Entry::Message(message(at(T0 + n, 1), Position(n), &n.to_string()))
            }
        })
        .collect();
    for part in entries.chunks(300) {
        node.insert(part).await.unwrap();
    }
    assert_eq!(node.entries_after(OFFICIAL, Position(0), 500).await.as_deref(), Ok(&entries[..500]));
    assert_eq!(node.entries_after(OFFICIAL, Position(595), 500).await.as_deref(), Ok(&entries[595..]));
    assert_eq!(node.entries_after(OFFICIAL, Position(600), 500).await, Ok(vec![]));
    assert_eq!(node.entries_after(ChannelId(42), Position(0), 500).await, Ok(vec![]));
}

use std::sync::Arc;

use chat_node::channels::log::Log;
use chat_node::ids::snowflake::Snowflakes;
use chat_node::ids::{AccessVersion, ChannelId, MessageId, Position};
use chat_node::protocol::message::{Change, Entry, Message};
use chat_node::store::bucket::Bucket;
use chat_node::store::{Around, Head, Inserted, Store};

use super::fixture::{Fixture, HOUR_MS, OFFICIAL, T0, flakes, message, put, put_change, user, void, wanted};
use super::log::node as log_node;

/// The bucket that begins `hours` after T0.
fn bucket(hours: u64) -> Bucket {
    Bucket(T0 / HOUR_MS + hours)
}

/// In each of four hours, with an empty one before the last: two messages, a void and a pin.
async fn filled(node: &dyn Store) -> Vec<[Message; 2]> {
    let (mut flakes, mut all) = (flakes(), Vec::new());
    for hour in [0, 1, 2, 4] {
        let at = T0 + hour * HOUR_MS;
        let first = put(node, &mut flakes, at, &format!("{hour} a")).await;
        let reserved = node.reserve(OFFICIAL, wanted(1), at).await.unwrap();
        node.insert(&[void(reserved.first)]).await.unwrap();
        let second = put(node, &mut flakes, at, &format!("{hour} b")).await;
        for change in [
            Change::Pin { message_id: first.id, pinned: true },
            Change::React { message_id: first.id, emoji: "👍".parse().unwrap(), on: true },
        ] {
            node.fold(&put_change(node, &mut flakes, "ada", change).await).await.unwrap();
        }
        all.push([Message { pinned: true, ..first }, second]);
    }
    all
}

async fn positions(node: &dyn Store) -> Vec<u64> {
    let entries = node.entries_after(OFFICIAL, Position(0), 500).await.unwrap();
    entries.iter().map(|entry| entry.position().0).collect()
}

pub async fn whole_buckets_go_and_the_head_stays(fixture: Fixture) {
    let node = fixture.node().await;
    let all = filled(&*node).await;
    let mut old = node.buckets_before(bucket(2), 500).await.unwrap();
    old.sort();
    assert_eq!(old, [(OFFICIAL, bucket(0)), (OFFICIAL, bucket(1))]);
    assert_eq!(node.buckets_before(bucket(9), 1).await.unwrap().len(), 1);
    for _ in 0..2 {
        assert_eq!(node.drop_bucket(OFFICIAL, bucket(1)).await, Ok(Position(10)));
    }
    assert_eq!(positions(&*node).await, (11..=20).collect::<Vec<_>>());
    let channel = node.channel(OFFICIAL).await.unwrap().unwrap();
    assert_eq!(
        (channel.floor, channel.head, channel.last_message),
        (Position(10), Position(20), Position(18))
    );
    assert_eq!(node.buckets_before(bucket(2), 500).await, Ok(vec![]));
    let left: Vec<_> = all[2..].iter().rev().flat_map(|[a, b]| [b.clone(), a.clone()]).collect();
    assert_eq!(node.history(OFFICIAL, Around::End, 100).await.as_ref(), Ok(&left));
    assert_eq!(node.history(OFFICIAL, Around::Middle(all[0][0].id), 5).await.unwrap(), left[2..]);
    assert_eq!(node.pinned(OFFICIAL).await, Ok(vec![all[3][0].clone(), all[2][0].clone()]));
    for [gone, _] in &all[..2] {
        assert_eq!(node.message(OFFICIAL, gone.id).await, Ok(None));
        assert_eq!(node.find_nonce(OFFICIAL, &gone.author.id, &gone.nonce).await, Ok(None));
        assert_eq!(node.reactors(gone.id, &"👍".parse().unwrap(), (None, 5)).await, Ok(vec![]));
    }
    assert_eq!(node.reactions(&[all[2][0].id], &user("ada")).await.unwrap().len(), 1);
    let next = put(&*node, &mut flakes(), T0 + 5 * HOUR_MS, &all[0][0].nonce).await;
    assert_eq!(next.position, Position(21), "positions go on");
}

pub async fn the_log_reads_from_the_floor_and_seals_nothing_below(fixture: Fixture) {
    let node = log_node(&fixture).await;
    filled(&*node.store).await;
    node.store.drop_bucket(OFFICIAL, bucket(1)).await.unwrap();
    let read = async |log: &Log, after| {
        let entries = log.range(OFFICIAL, Position(after), 500).await.unwrap();
        entries.iter().map(|entry| entry.position().0).collect::<Vec<_>>()
    };
    for after in [0, 7, 10] {
        assert_eq!(read(&node.log, after).await, (11..=20).collect::<Vec<_>>());
    }
    // A hole above the floor is sealed as ever.
    node.store.reserve(OFFICIAL, wanted(1), T0).await.unwrap();
    put(&*node.store, &mut flakes(), T0 + 5 * HOUR_MS, "later").await;
    assert_eq!(read(&node.log, 3).await, (11..=22).collect::<Vec<_>>());
    let below = node.store.insert(&[void(Position(4))]).await;
    assert_eq!(below, Ok(vec![Inserted::New]), "nobody has put anything there");
}

pub async fn dropping_everything_keeps_the_head(fixture: Fixture) {
    let node = fixture.node().await;
    filled(&*node).await;
    assert_eq!(node.drop_bucket(OFFICIAL, bucket(500)).await, Ok(Position(20)));
    assert_eq!(positions(&*node).await, Vec::<u64>::new());
    assert_eq!(node.history(OFFICIAL, Around::After(MessageId(0)), 10).await, Ok(vec![]));
    let head = Head { position: Position(20), access: AccessVersion(0), floor: Position(20) };
    assert_eq!(node.heads(&[OFFICIAL]).await, Ok(vec![(OFFICIAL, head)]));
    assert_eq!(node.reserve(OFFICIAL, wanted(1), 0).await.unwrap().first, Position(21));
    assert_eq!(node.drop_bucket(OFFICIAL, bucket(500)).await, Ok(Position(20)), "nothing of it is there");
    assert_eq!(node.drop_bucket(ChannelId(42), bucket(500)).await, Ok(Position(0)));
}

pub async fn an_open_position_after_the_bucket_is_not_taken_along(fixture: Fixture) {
    let (node, mut flakes) = (fixture.node().await, flakes());
    put(&*node, &mut flakes, T0, "old").await;
    let slow = node.reserve(OFFICIAL, wanted(1), T0 + 3 * HOUR_MS).await.unwrap();
    put(&*node, &mut flakes, T0 + 3 * HOUR_MS, "new").await;
    assert_eq!(node.drop_bucket(OFFICIAL, bucket(2)).await, Ok(Position(1)));
    let late = message(MessageId(flakes.take(slow.first_ms).unwrap()), slow.first, "late");
    assert_eq!(node.insert(&[Entry::Message(late)]).await, Ok(vec![Inserted::New]));
    assert_eq!(positions(&*node).await, [2, 3]);
}

pub async fn buckets_that_hold_only_changes_or_deleted_messages_go_as_well(fixture: Fixture) {
    let (node, mut flakes) = (fixture.node().await, flakes());
    let deleted = put(&*node, &mut flakes, T0, "a").await;
    let mut pin = |hours: u64| {
        let id = MessageId(flakes.take(T0 + hours * HOUR_MS).unwrap());
        let change = Change::Pin { message_id: deleted.id, pinned: true };
        super::fixture::change(id, Position(1 + hours), change)
    };
    let changes = [pin(1), pin(2), pin(3)];
    let entries: Vec<_> = changes.iter().cloned().map(Entry::Change).collect();
    node.reserve(OFFICIAL, wanted(3), T0 + HOUR_MS).await.unwrap();
    node.insert(&entries).await.unwrap();
    let deletion = Change::Delete { message_id: deleted.id };
    node.fold(&super::fixture::change(changes[2].id, Position(4), deletion)).await.unwrap();
    assert_eq!(node.buckets_before(bucket(9), 500).await.unwrap().len(), 4);
    assert_eq!(node.drop_bucket(OFFICIAL, bucket(0)).await, Ok(Position(1)));
    assert_eq!(node.drop_bucket(OFFICIAL, bucket(2)).await, Ok(Position(3)));
    assert_eq!(positions(&*node).await, [4]);
}

pub async fn thousands_of_entries_go_at_once(fixture: Fixture) {
    let node: Arc<dyn Store> = fixture.node().await;
    let mut flakes: Snowflakes = flakes();
    for part in 0..9_u64 {
        let reserved = node.reserve(OFFICIAL, wanted(500), T0 + part * 500).await.unwrap();
        let entries: Vec<_> = (0..500)
            .map(|n| {
                let id = MessageId(flakes.take(reserved.first_ms + n).unwrap());
                let position = Position(reserved.first.0 + n);
                Entry::Message(message(id, position, &position.to_string()))
            })
            .collect();
        node.insert(&entries).await.unwrap();
    }
    let kept = put(&*node, &mut flakes, T0 + HOUR_MS, "kept").await;
    assert_eq!(node.drop_bucket(OFFICIAL, bucket(0)).await, Ok(Position(4_500)));
    assert_eq!(node.entries_after(OFFICIAL, Position(0), 500).await, Ok(vec![Entry::Message(kept)]));
}

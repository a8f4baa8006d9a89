use std::sync::Arc;

use chat_node::channels::log::{Appended, Draft, Log, RANGE_LIMIT, Unguarded};
use chat_node::clock::System;
use chat_node::ids::Position;
use chat_node::ids::lease;
use chat_node::protocol::message::{Change, Composed, Entry, User};
use chat_node::store::{Inserted, Store};
use futures::future::join_all;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fixture::{Fixture, OFFICIAL, T0, flakes, message, user, void, wanted};

pub struct Node {
    pub log: Log,
    pub store: Arc<dyn Store>,
    _stop: DropGuard,
}

pub async fn node(fixture: &Fixture) -> Node {
    let (store, stop) = (fixture.node().await, CancellationToken::new());
    let (ids, _) = lease::spawn(store.clone(), Arc::new(System), "node".to_owned(), stop.clone());
    ids.watch().wait_for(Option::is_some).await.unwrap();
    Node { log: Log::new(store.clone(), ids, Unguarded), store, _stop: stop.drop_guard() }
}

impl Node {
    async fn send(&self, author: &str, nonce: &str) -> Appended {
        let author = User { id: user(author), name: author.to_owned() };
        let composed = Composed { content: "hi".to_owned(), ..Composed::default() };
        let draft = Draft::message(author, nonce.to_owned(), composed);
        self.log.append(OFFICIAL, vec![draft]).await.unwrap().remove(0)
    }

    /// The whole log. Positions are 1, 2, 3 … and ids grow.
    async fn read(&self) -> Vec<Entry> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map_or(Position(0), Entry::position);
            let part = self.log.range(OFFICIAL, after, RANGE_LIMIT).await.unwrap();
            if part.is_empty() {
                break;
            }
            all.extend(part);
        }
        let positions: Vec<_> = all.iter().map(|entry| entry.position().0).collect();
        assert_eq!(positions, (1..=all.len() as u64).collect::<Vec<_>>());
        assert!(messages(&all).is_sorted_by(|a, b| a.id < b.id && a.timestamp_ms < b.timestamp_ms));
        all
    }
}

fn messages(entries: &[Entry]) -> Vec<&chat_node::protocol::message::Message> {
    entries
        .iter()
        .filter_map(|entry| if let Entry::Message(message) = entry { Some(message) } else { None })
        .collect()
}

pub async fn many_writers_on_many_nodes_fill_every_position_once_in_order_of_ids(fixture: Fixture) {
    let nodes = [node(&fixture).await, node(&fixture).await, node(&fixture).await];
    let writers = (0..12).map(|writer| {
        let (node, author) = (&nodes[writer % nodes.len()], format!("writer-{writer}"));
        async move {
            let mut own = Vec::new();
            for n in 0..25 {
                own.push(node.send(&author, &n.to_string()).await.message().unwrap().clone());
            }
            assert!(
                own.is_sorted_by(|a, b| a.position < b.position),
                "one author's messages keep their order"
            );
            own
        }
    });
    let sent: Vec<_> = join_all(writers).await.into_iter().flatten().collect();
    let all = nodes[0].read().await;
    assert_eq!(all.len(), 300, "no position was wasted");
    let mut stored: Vec<_> = messages(&all).into_iter().cloned().collect();
    stored.sort_by_key(|message| (message.author.id.clone(), message.position));
    let mut sent = sent;
    sent.sort_by_key(|message| (message.author.id.clone(), message.position));
    assert_eq!(stored, sent);
}

pub async fn a_send_repeated_on_another_node_is_the_same_message(fixture: Fixture) {
    let (a, b) = (node(&fixture).await, node(&fixture).await);
    for n in 0..10 {
        let nonce = n.to_string();
        let (first, second) = tokio::join!(a.send("ada", &nonce), b.send("ada", &nonce));
        assert_eq!(first.message(), second.message());
        let new = [&first, &second].into_iter().filter(|done| matches!(done, Appended::New(_))).count();
        assert_eq!(new, 1);
    }
    let all = a.read().await;
    assert_eq!((all.len(), messages(&all).len()), (20, 10), "the other position holds a void");
}

pub async fn a_crash_between_reserve_and_insert_is_sealed_by_readers_at_once(fixture: Fixture) {
    let nodes = [node(&fixture).await, node(&fixture).await, node(&fixture).await];
    nodes[0].send("ada", "a").await;
    nodes[1].store.reserve(OFFICIAL, wanted(3), 0).await.unwrap();
    nodes[2].send("ada", "b").await;
    nodes[1].store.reserve(OFFICIAL, wanted(1), 0).await.unwrap();
    nodes[2].send("ada", "c").await;
    let seen = join_all(nodes.iter().map(Node::read)).await;
    assert!(seen.iter().all(|all| *all == seen[0]));
    let shape: Vec<_> = seen[0].iter().map(|entry| matches!(entry, Entry::Message(_))).collect();
    assert_eq!(shape, [true, false, false, false, true, false, true]);
}

pub async fn a_writer_that_was_sealed_gets_another_position(fixture: Fixture) {
    let node = node(&fixture).await;
    let head = node.store.channel(OFFICIAL).await.unwrap().unwrap().head;
    node.store.insert(&[void(head.next())]).await.unwrap();
    let Appended::New(sent) = node.send("ada", "late").await else { panic!("not new") };
    assert_eq!(sent.position, head.next().next());
    let mut flakes = flakes();
    let id = chat_node::ids::MessageId(flakes.take(T0).unwrap());
    let again = node.store.insert(&[Entry::Message(message(id, head.next(), "too late"))]).await;
    assert_eq!(again, Ok(vec![Inserted::PositionTaken]));
    assert_eq!(node.read().await.len(), 2);
}

pub async fn a_send_of_unknown_outcome_is_found_by_its_nonce_on_another_node(fixture: Fixture) {
    let (dead, alive) = (fixture.node().await, node(&fixture).await);
    // It stored the message, and died before it could say so.
    let lost = super::fixture::put(&*dead, &mut flakes(), T0, "unknown").await;
    let Appended::Known(found) = alive.send("ada", "unknown").await else { panic!("stored twice") };
    assert_eq!(found, lost);
    assert_eq!(messages(&alive.read().await).len(), 1);
}

pub async fn changes_and_messages_of_many_nodes_share_one_log(fixture: Fixture) {
    let nodes = [node(&fixture).await, node(&fixture).await];
    let first = nodes[0].send("ada", "first").await.message().unwrap().id;
    let writers = (0..8).map(|writer| {
        let (node, by) =
            (&nodes[writer % 2], User { id: user(&format!("writer-{writer}")), name: "W".to_owned() });
        async move {
            for n in 0..6 {
                let change = Change::Pin { message_id: first, pinned: n % 2 == 0 };
                let draft = Draft::change(by.clone(), change.clone());
                let stored = node.log.append(OFFICIAL, vec![draft]).await.unwrap().remove(0);
                let Appended::Changed(entry) = stored else { panic!("{stored:?}") };
                assert_eq!((entry.by, entry.change), (by.clone(), change));
                node.send(by.id.as_str(), &n.to_string()).await;
            }
        }
    });
    join_all(writers).await;
    let all = nodes[1].read().await;
    assert_eq!((all.len(), messages(&all).len()), (97, 49));
    let head = nodes[0].store.channel(OFFICIAL).await.unwrap().unwrap();
    assert_eq!(Some(head.last_message), messages(&all).last().map(|message| message.position));
}

pub async fn no_node_starves_on_a_hot_channel(fixture: Fixture) {
    let nodes = [node(&fixture).await, node(&fixture).await, node(&fixture).await];
    let left = std::sync::atomic::AtomicI32::new(240);
    let writers = nodes.iter().enumerate().map(|(number, node)| {
        let left = &left;
        async move {
            let mut own = 0;
            while left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 0 {
                node.send(&format!("writer-{number}"), &own.to_string()).await;
                own += 1;
            }
            own
        }
    });
    let shares = join_all(writers).await;
    assert_eq!(shares.iter().sum::<i32>(), 240);
    assert!(shares.iter().all(|share| *share >= 24), "each got a tenth at least: {shares:?}");
    nodes[0].read().await;
}

//! A store that dies, hangs and comes back under many writers. Runs where `VIBETALK_TEST_STORE_FAULTS` holds shell
//! commands, one a line, each of which does one thing to the server of `VIBETALK_TEST_MONGODB_URI` and undoes it
//! (`kill -STOP 7; sleep 3; kill -CONT 7`).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_node::channels::log::{AppendError, Draft, Log, RANGE_LIMIT, Unguarded};
use chat_node::clock::System;
use chat_node::ids::{ChannelId, MessageId, Position, lease};
use chat_node::protocol::message::{Composed, Entry, User};
use chat_node::store::bucket::BucketLength;
use chat_node::store::mongo::Mongo;
use chat_node::store::{Store, StoreError};
use futures::future::join_all;
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backends::with_database;

const NODES: usize = 3;
const WRITERS: usize = 9;
const BETWEEN: Duration = Duration::from_secs(3);
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);

struct Node {
    log: Log,
    store: Arc<dyn Store>,
    _stop: DropGuard,
}

async fn node(uri: &str, database: &str) -> Node {
    let store: Arc<dyn Store> =
        Arc::new(Mongo::connect(uri, database, BucketLength::default()).await.unwrap());
    store.prepare("Official").await.unwrap();
    let stop = CancellationToken::new();
    let (ids, _) = lease::spawn(store.clone(), Arc::new(System), "node".to_owned(), stop.clone());
    ids.watch().wait_for(Option::is_some).await.unwrap();
    Node { log: Log::new(store.clone(), ids, Unguarded), store, _stop: stop.drop_guard() }
}

/// Nonce → what was acknowledged.
type Acks = HashMap<String, (MessageId, Position)>;

/// Appends one message after the other, each until it is acknowledged.
async fn write(node: &Node, number: usize, over: &AtomicBool) -> (Acks, u32) {
    let author = User { id: format!("writer-{number}").parse().unwrap(), name: "W".to_owned() };
    let (mut acks, mut refused) = (Acks::new(), 0);
    while !over.load(Ordering::Relaxed) {
        let nonce = format!("{number} {}", acks.len());
        let composed = Composed { content: nonce.clone(), ..Composed::default() };
        let draft = || Draft::message(author.clone(), nonce.clone(), composed.clone());
        let acked = async {
            loop {
                match node.log.append(ChannelId::OFFICIAL, vec![draft()]).await {
                    Ok(done) => {
                        return done[0].message().map(|message| (message.id, message.position)).unwrap();
                    }
                    Err(AppendError::Store(error @ (StoreError::Refused(_) | StoreError::Corrupt(_)))) => {
                        panic!("{error}")
                    }
                    Err(_) => refused += 1,
                }
                sleep(Duration::from_millis(fastrand::u64(50..200))).await;
            }
        };
        let acked = timeout(RECOVERED_WITHIN, acked).await.unwrap();
        acks.insert(nonce, acked);
    }
    (acks, refused)
}

async fn inflict(faults: &str, over: &AtomicBool) {
    sleep(BETWEEN).await;
    for fault in faults.lines().filter(|line| !line.trim().is_empty()) {
        println!("fault: {fault}");
        let done = Command::new("sh").args(["-c", fault]).status().await.unwrap();
        assert!(done.success(), "`{fault}` failed");
        sleep(BETWEEN).await;
    }
    over.store(true, Ordering::Relaxed);
}

async fn read_all(node: &Node) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map_or(Position(0), Entry::position);
        let part = node.log.range(ChannelId::OFFICIAL, after, RANGE_LIMIT).await.unwrap();
        if part.is_empty() {
            return all;
        }
        all.extend(part);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_store_suffers_no_ack_is_lost_none_is_twice_and_no_position_stays_open() {
    let Ok(faults) = std::env::var("VIBETALK_TEST_STORE_FAULTS") else {
        println!("left out: faults of the store, set VIBETALK_TEST_STORE_FAULTS");
        return;
    };
    with_database("faults of the store", async |uri, database| {
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            nodes.push(node(uri, database).await);
        }
        let over = AtomicBool::new(false);
        let writers = join_all((0..WRITERS).map(|number| write(&nodes[number % NODES], number, &over)));
        let (written, ()) = tokio::join!(writers, inflict(&faults, &over));
        let refused: u32 = written.iter().map(|(_, refused)| refused).sum();
        let acks: Acks = written.into_iter().flat_map(|(acks, _)| acks).collect();
        let logs = join_all(nodes.iter().map(read_all)).await;
        assert!(logs.iter().all(|log| *log == logs[0]), "every node reads the same");
        check(&logs[0], &acks);
        let head = nodes[0].store.channel(ChannelId::OFFICIAL).await.unwrap().unwrap().head;
        let (entries, acked) = (logs[0].len(), acks.len());
        println!("{acked} acknowledged, {refused} refusals, {entries} entries, head {head}");
    })
    .await;
}

/// Positions are 1, 2, 3 …, ids grow, and every acknowledged message is there once, as it was acknowledged.
fn check(log: &[Entry], acks: &Acks) {
    let positions = log.iter().map(|entry| entry.position().0);
    assert!(positions.eq(1..=log.len() as u64), "a position is open or twice");
    let mut seen = Acks::new();
    for entry in log {
        let Entry::Message(message) = entry else { continue };
        let twice = seen.insert(message.nonce.clone(), (message.id, message.position));
        assert_eq!(twice, None, "`{}` is stored twice", message.nonce);
    }
    let mut ids: Vec<_> = seen.values().map(|(id, position)| (*position, *id)).collect();
    ids.sort();
    assert!(ids.is_sorted_by(|one, next| one.1 < next.1), "ids grow with positions");
    for (nonce, ack) in acks {
        assert_eq!(seen.get(nonce), Some(ack), "`{nonce}` was acknowledged");
    }
}

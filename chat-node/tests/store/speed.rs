//! How many messages a second one hot channel takes, from several nodes. Run it by hand, best with `--release`:
//! `cargo test --workspace --test store speed -- --ignored --nocapture --test-threads=1`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_node::channels::log::{Draft, Log, Unguarded};
use chat_node::clock::System;
use chat_node::ids::{ChannelId, lease};
use chat_node::protocol::message::{Composed, User};
use chat_node::store::Store;
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use chat_node::store::mongo::Mongo;
use futures::future::join_all;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backends::with_database;

const EACH: Duration = Duration::from_secs(5);

/// Appends `batch` messages of 200 bytes at a time; gives how long each append took.
async fn append(log: &Log, writer: &str, batch: usize) -> Vec<Duration> {
    let author = User { id: writer.parse().unwrap(), name: "W".to_owned() };
    let (started, mut took) = (Instant::now(), Vec::new());
    while started.elapsed() < EACH {
        let composed = Composed { content: "x".repeat(200), ..Composed::default() };
        let draft =
            |n: usize| Draft::message(author.clone(), format!("{} {n}", took.len()), composed.clone());
        let (drafts, begun) = ((0..batch).map(draft).collect(), Instant::now());
        log.append(ChannelId::OFFICIAL, drafts).await.unwrap();
        took.push(begun.elapsed());
    }
    took
}

async fn measure(name: &str, stores: &[Arc<dyn Store>], batch: usize) {
    let mut nodes: Vec<(Log, DropGuard)> = Vec::new();
    for store in stores {
        let stop = CancellationToken::new();
        let (ids, _) = lease::spawn(store.clone(), Arc::new(System), "node".to_owned(), stop.clone());
        ids.watch().wait_for(Option::is_some).await.unwrap();
        nodes.push((Log::new(store.clone(), ids, Unguarded), stop.drop_guard()));
    }
    let writers = nodes.iter().map(|(log, _)| {
        let writer = format!("w-{:x}", fastrand::u64(..));
        async move { append(log, &writer, batch).await }
    });
    let started = Instant::now();
    let mut took: Vec<_> = join_all(writers).await.into_iter().flatten().collect();
    let rate = (took.len() * batch) as f64 / started.elapsed().as_secs_f64();
    took.sort();
    let at = |part: f64| took[(took.len() as f64 * part) as usize].as_secs_f64() * 1_000.0;
    let (count, p50, p99) = (nodes.len(), at(0.5), at(0.99));
    println!(
        "{name}: {count:>2} nodes × {batch:>2}: {rate:>7.0} messages/s, p50 {p50:.1} ms, p99 {p99:.1} ms"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute, and says nothing where the machine does something else"]
async fn appends_on_an_embedded_store() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(Embedded::open(directory.path(), BucketLength::default(), Arc::new(System)).unwrap());
    store.prepare("Official").await.unwrap();
    for batch in [1, 64] {
        for nodes in [1, 3, 10] {
            measure("embedded", &vec![store.clone(); nodes], batch).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute, and says nothing where the machine does something else"]
async fn appends_on_mongodb() {
    with_database("appends a second", async |uri, database| {
        for batch in [1, 64] {
            for nodes in [1, 3, 10] {
                let mut stores: Vec<Arc<dyn Store>> = Vec::new();
                for _ in 0..nodes {
                    let store = Mongo::connect(uri, database, BucketLength::default()).await.unwrap();
                    store.prepare("Official").await.unwrap();
                    stores.push(Arc::new(store));
                }
                measure("mongo", &stores, batch).await;
            }
        }
    })
    .await;
}

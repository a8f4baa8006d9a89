//! How many messages a second one hot channel takes, from several nodes at once, alone and batched.
//!
//! `cargo bench --workspace --bench appends`; with `VIBETALK_TEST_MONGODB_URI` also on that server, in a database of
//! its own that is dropped afterwards.
#![allow(missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use chat_node::channels::log::{Draft, Log, Unguarded};
use chat_node::clock::System;
use chat_node::ids::{ChannelId, lease};
use chat_node::protocol::message::{Composed, User};
use chat_node::store::Store;
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use chat_node::store::mongo::Mongo;
use futures::future::try_join_all;
use tokio_util::sync::{CancellationToken, DropGuard};

const EACH: Duration = Duration::from_secs(5);
/// Messages appended at a time, and nodes that do so.
const SIZES: [(usize, usize); 6] = [(1, 1), (1, 3), (1, 10), (64, 1), (64, 3), (64, 10)];

/// Appends `batch` messages of 200 bytes at a time; gives how long each append took.
async fn append(log: &Log, writer: &str, batch: usize) -> Result<Vec<Duration>> {
    let author = User { id: writer.parse()?, name: "W".to_owned() };
    let (started, mut took) = (Instant::now(), Vec::new());
    while started.elapsed() < EACH {
        let composed = Composed { content: "x".repeat(200), ..Composed::default() };
        let draft =
            |n: usize| Draft::message(author.clone(), format!("{} {n}", took.len()), composed.clone());
        let (drafts, begun) = ((0..batch).map(draft).collect(), Instant::now());
        log.append(ChannelId::OFFICIAL, drafts).await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

async fn measure(name: &str, stores: &[Arc<dyn Store>], batch: usize) -> Result<()> {
    let mut nodes: Vec<(Log, DropGuard)> = Vec::new();
    for store in stores {
        let stop = CancellationToken::new();
        let (ids, _) = lease::spawn(store.clone(), Arc::new(System), "node".to_owned(), stop.clone());
        ids.watch().wait_for(Option::is_some).await?;
        nodes.push((Log::new(store.clone(), ids, Unguarded), stop.drop_guard()));
    }
    let writers = nodes.iter().map(|(log, _)| {
        let writer = format!("w-{:x}", fastrand::u64(..));
        async move { append(log, &writer, batch).await }
    });
    let started = Instant::now();
    let mut took: Vec<_> = try_join_all(writers).await?.into_iter().flatten().collect();
    let rate = (took.len() * batch) as f64 / started.elapsed().as_secs_f64();
    took.sort();
    let at = |part: f64| took[(took.len() as f64 * part) as usize].as_secs_f64() * 1_000.0;
    let (count, p50, p99) = (nodes.len(), at(0.5), at(0.99));
    println!(
        "{name}: {count:>2} nodes × {batch:>2}: {rate:>7.0} messages/s, p50 {p50:.1} ms, p99 {p99:.1} ms"
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    on_embedded().await?;
    match std::env::var("VIBETALK_TEST_MONGODB_URI") {
        Ok(uri) => on_mongodb(&uri).await,
        Err(_) => {
            println!("mongo: left out, set VIBETALK_TEST_MONGODB_URI");
            Ok(())
        }
    }
}

async fn on_embedded() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let store: Arc<dyn Store> =
        Arc::new(Embedded::open(directory.path(), BucketLength::default(), Arc::new(System))?);
    store.prepare("Official").await?;
    for (batch, nodes) in SIZES {
        measure("embedded", &vec![store.clone(); nodes], batch).await?;
    }
    Ok(())
}

async fn on_mongodb(uri: &str) -> Result<()> {
    let database = format!("vt_bench_{:x}", fastrand::u64(..));
    for (batch, nodes) in SIZES {
        let mut stores: Vec<Arc<dyn Store>> = Vec::new();
        for _ in 0..nodes {
            let store = Mongo::connect(uri, &database, BucketLength::default()).await?;
            store.prepare("Official").await?;
            stores.push(Arc::new(store));
        }
        measure("mongo", &stores, batch).await?;
    }
    mongodb::Client::with_uri_str(uri).await?.database(&database).drop().await?;
    Ok(())
}

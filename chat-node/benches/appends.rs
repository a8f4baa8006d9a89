//! How many messages a second one hot channel takes, from several nodes at once, alone and batched.
//!
//! `cargo bench --workspace --bench appends`; on disk, in a file of its own; with `VIBETALK_TEST_MONGODB_URI` also on that
//! server, in a database of its own that is dropped afterwards. The results are one JSON document on standard output;
//! `cargo e2e bench appends` starts the server too, and makes a table of them.
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
use serde::Serialize;
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

/// What came of several nodes that append at the same time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    store: &'static str,
    nodes: usize,
    /// Messages appended at a time.
    batch: usize,
    messages_per_second: f64,
    /// Of an append.
    p50_ms: f64,
    p99_ms: f64,
}

/// The results.
#[derive(Serialize)]
struct Measured {
    rows: Vec<Row>,
}

async fn measure(store: &'static str, stores: &[Arc<dyn Store>], batch: usize) -> Result<Row> {
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
    let messages_per_second = (took.len() * batch) as f64 / started.elapsed().as_secs_f64();
    took.sort();
    let at = |part: f64| took[(took.len() as f64 * part) as usize].as_secs_f64() * 1_000.0;
    let row =
        Row { store, nodes: nodes.len(), batch, messages_per_second, p50_ms: at(0.5), p99_ms: at(0.99) };
    eprintln!("{}", serde_json::to_string(&row)?);
    Ok(row)
}

#[tokio::main]
async fn main() -> Result<()> {
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut rows = on_disk().await?;
    match std::env::var("VIBETALK_TEST_MONGODB_URI") {
        Ok(uri) => rows.extend(on_server(&uri).await?),
        Err(_) => eprintln!("mongo: left out, set VIBETALK_TEST_MONGODB_URI"),
    }
    println!("{}", serde_json::to_string(&Measured { rows })?);
    Ok(())
}

async fn on_disk() -> Result<Vec<Row>> {
    // Beside what is compiled, as the directory for temporary files may lie in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store: Arc<dyn Store> =
        Arc::new(Embedded::open(directory.path(), BucketLength::default(), Arc::new(System))?);
    store.prepare("Official").await?;
    let mut rows = Vec::new();
    for (batch, nodes) in SIZES {
        rows.push(measure("embedded", &vec![store.clone(); nodes], batch).await?);
    }
    Ok(rows)
}

async fn on_server(uri: &str) -> Result<Vec<Row>> {
    let database = format!("vt_bench_{:x}", fastrand::u64(..));
    let mut rows = Vec::new();
    for (batch, nodes) in SIZES {
        let mut stores: Vec<Arc<dyn Store>> = Vec::new();
        for _ in 0..nodes {
            let store = Mongo::connect(uri, &database, BucketLength::default()).await?;
            store.prepare("Official").await?;
            stores.push(Arc::new(store));
        }
        rows.push(measure("mongo", &stores, batch).await?);
    }
    mongodb::Client::with_uri_str(uri).await?.database(&database).drop().await?;
    Ok(rows)
}

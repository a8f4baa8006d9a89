//! Appends to the logs of direct channels by two nodes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chat_node::channels::log::{AppendError, Draft, Log, Unguarded};
use chat_node::clock::System;
use chat_node::ids::{ChannelId, UserId, lease};
use chat_node::protocol::message::{Composed, User};
use chat_node::store::bucket::BucketLength;
use chat_node::store::mongo::Mongo;
use chat_node::store::{ChannelStore, Store};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::pace::{Pace, Turn};
use crate::times::Times;

/// Bytes of a message's text.
const CONTENT: usize = 200;
/// No other channel has the ids from here on.
const FIRST: u64 = 1_000;
const LEASED_WITHIN: Duration = Duration::from_secs(30);
/// How long the last append may take.
const APPENDED_WITHIN: Duration = Duration::from_secs(30);

/// Measures on a database of its own, which is dropped then.
pub async fn measure(uri: &str, pace: Pace) -> Result<Times> {
    let database = format!("vt_bench_{:x}", fastrand::u64(..));
    let measured = on(uri, &database, pace).await;
    mongodb::Client::with_uri_str(uri).await?.database(&database).drop().await?;
    measured
}

async fn on(uri: &str, database: &str, pace: Pace) -> Result<Times> {
    let ((one, _one_ends), (other, _other_ends)) = (node(uri, database).await?, node(uri, database).await?);
    let store = Mongo::connect(uri, database, BucketLength::default()).await?;
    for channel in 0..pace.channels {
        store.open_direct(ChannelId(FIRST + channel as u64), &users(channel)?).await?;
    }
    let (sender, mut appended) = mpsc::unbounded_channel();
    let (runtime, logs) = (Handle::current(), [one, other]);
    let append = move |turn: Turn| {
        let (node, channel) = pace.place(turn);
        let (log, sender) = (logs[node].clone(), sender.clone());
        runtime.spawn(async move {
            let done = say(&log, (node, channel), turn).await;
            // Nobody waits any more if the run has failed.
            let _ = sender.send(done.map(|()| (turn.counts, turn.due.elapsed())));
        });
    };
    pace.keep(append).await?;
    let mut took = Vec::new();
    while let Some(done) = timeout(APPENDED_WITHIN, appended.recv()).await.context("appends do not end")? {
        let (counts, time) = done?;
        took.extend(counts.then_some(time));
    }
    Times::of(took)
}

/// What a chat node appends with.
async fn node(uri: &str, database: &str) -> Result<(Log, DropGuard)> {
    let store = Mongo::connect(uri, database, BucketLength::default()).await?;
    store.prepare("Official").await?;
    let (store, stop): (Arc<dyn Store>, _) = (Arc::new(store), CancellationToken::new());
    let holder = format!("node-{:x}", fastrand::u64(..));
    let (ids, _) = lease::spawn(store.clone(), Arc::new(System), holder, stop.clone());
    let mut leased = ids.watch();
    timeout(LEASED_WITHIN, leased.wait_for(Option::is_some)).await.context("there are no ids")??;
    Ok((Log::new(store, ids, Unguarded), stop.drop_guard()))
}

async fn say(log: &Log, (node, channel): (usize, usize), turn: Turn) -> Result<()> {
    let author = User { id: users(channel)?[node].clone(), name: "A".to_owned() };
    let composed = Composed { content: "x".repeat(CONTENT), ..Composed::default() };
    let draft = Draft::message(author, turn.number.to_string(), composed);
    let appended: Result<_, AppendError> = log.append(ChannelId(FIRST + channel as u64), vec![draft]).await;
    Ok(appended.map(drop)?)
}

/// The users of a channel, each on another node.
pub fn users(channel: usize) -> Result<[UserId; 2]> {
    Ok([format!("a-{channel}").parse()?, format!("b-{channel}").parse()?])
}

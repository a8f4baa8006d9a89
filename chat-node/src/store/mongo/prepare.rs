//! Collections, indexes and first documents. Every step can be repeated, and many nodes may run it at once.

use std::time::Duration;

use mongodb::IndexModel;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::IndexOptions;
use tokio::time::sleep;
use tracing::{debug, info};

use super::failure::{DUPLICATE_KEY, Failure};
use super::rows::{ChannelRow, signed, unsigned};
use super::{Mongo, groups};
use crate::ids::{ChannelId, GroupId, ServerId};
use crate::protocol::message::ChannelSettings;
use crate::store::layout::{Layout, VERSION};
use crate::store::{NewChannel, REMEMBERED, StoreError};

/// Compatible servers may refuse one of several nodes that make the same collection.
const ATTEMPTS: u32 = 8;
const BACKOFF: Duration = Duration::from_millis(100);

pub(super) async fn prepare(mongo: &Mongo, official_name: &str) -> Result<(), StoreError> {
    note_standalone(mongo).await?;
    check_layout(mongo).await?;
    for (collection, index) in indexes() {
        repeated(|| make_index(mongo, collection, &index)).await?;
    }
    repeated(|| make_leases(mongo)).await?;
    repeated(|| groups::put_official(mongo, official_name)).await?;
    repeated(|| put_official(mongo, official_name)).await
}

/// Makes an index unless one of its name is there: even making it again can block other nodes' writes.
async fn make_index(mongo: &Mongo, collection: &str, index: &IndexModel) -> Result<(), StoreError> {
    let collection = mongo.database.collection::<Document>(collection);
    let name = index.options.as_ref().and_then(|options| options.name.clone());
    let listed = mongo.calls.run(collection.clone(), async |collection| collection.list_index_names().await);
    let present = match listed.await {
        Err(failure) if failure.is_no_collection() => Vec::new(),
        done => done?,
    };
    if !name.is_some_and(|name| present.contains(&name)) {
        let make = mongo.calls.run((collection, index.clone()), async |(collection, index)| {
            collection.create_index(index).await
        });
        make.await?;
    }
    Ok(())
}

fn indexes() -> Vec<(&'static str, IndexModel)> {
    let unique = |name: &str| IndexOptions::builder().name(name.to_owned()).unique(true).build();
    let plain = |name: &str| IndexOptions::builder().name(name.to_owned()).build();
    let where_exists = |mut options: IndexOptions, field: &str| {
        options.partial_filter_expression = Some(doc! { field: { "$exists": true } });
        options
    };
    let some = |name: &str, field: &str| where_exists(plain(name), field);
    let mut forgotten = plain("removed");
    forgotten.expire_after = Some(REMEMBERED);
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    vec![
        ("entries", index(doc! { "channel": 1, "position": 1 }, unique("position"))),
        (
            "entries",
            index(doc! { "channel": 1, "author": 1, "nonce": 1 }, where_exists(unique("nonce"), "nonce")),
        ),
        ("entries", index(doc! { "channel": 1, "kind": 1, "bucket": 1, "_id": -1 }, plain("history"))),
        ("entries", index(doc! { "channel": 1, "kind": 1, "position": 1 }, plain("kind"))),
        ("entries", index(doc! { "edits": 1 }, some("edits", "edits"))),
        ("entries", index(doc! { "channel": 1, "_id": -1 }, some("pinned", "pinned"))),
        ("reactions", index(doc! { "message": 1, "emoji": 1, "user": 1 }, plain("emoji"))),
        ("reactions", index(doc! { "channel": 1, "message": 1 }, plain("channel"))),
        ("buckets", index(doc! { "bucket": 1 }, plain("oldest"))),
        ("members", index(doc! { "group": 1, "user": 1 }, plain("group"))),
        ("members", index(doc! { "user": 1, "group": 1 }, plain("user"))),
        ("members", index(doc! { "removed": 1 }, forgotten)),
        ("channels", index(doc! { "group": 1, "_id": 1 }, plain("group"))),
        ("buckets", index(doc! { "channel": 1, "bucket": -1 }, plain("newest"))),
        ("channels", index(doc! { "pair": 1 }, where_exists(unique("pair"), "pair"))),
        ("channels", index(doc! { "users": 1, "_id": -1 }, plain("user"))),
    ]
}

/// Says so when a failover is impossible. Such servers, compatible ones among them, do not name a replica set.
async fn note_standalone(mongo: &Mongo) -> Result<(), StoreError> {
    let input = (mongo.database.clone(), doc! { "hello": 1 });
    let hello = mongo.calls.run(input, async |(database, hello)| database.run_command(hello).await).await?;
    if !hello.contains_key("setName") && hello.get_str("msg").ok() != Some("isdbgrid") {
        info!("the store is not a replica set: it is as available as its one server");
    }
    Ok(())
}

async fn check_layout(mongo: &Mongo) -> Result<(), StoreError> {
    let bucket_ms = signed(mongo.bucket.as_millis());
    let new = doc! { "_id": "layout", "version": signed(VERSION), "bucket_ms": bucket_ms };
    let put = || async {
        let input = (mongo.schema(), new.clone());
        match mongo.calls.run(input, async |(schema, new)| schema.insert_one(new).await).await {
            Err(failure) if !failure.is_duplicate() => Err(failure.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    };
    repeated(put).await?;
    let layout = repeated(|| read_layout(mongo)).await?;
    layout.check(mongo.bucket)
}

async fn read_layout(mongo: &Mongo) -> Result<Layout, StoreError> {
    let input = (mongo.schema(), doc! { "_id": "layout" });
    let row = mongo.calls.run(input, async |(schema, id)| schema.find_one(id).await).await?;
    // Another node has written it, but a majority may not have it yet.
    let row = row.ok_or_else(|| StoreError::Unavailable("its layout does not show yet".to_owned()))?;
    let number = |field| {
        let number =
            row.get_i64(field).map_err(|error| StoreError::Corrupt(format!("its layout: {error}")))?;
        unsigned(number)
    };
    Ok(Layout { version: number("version")?, bucket_ms: number("bucket_ms")? })
}

/// One document for each server id, so that leasing one is a single update.
async fn make_leases(mongo: &Mongo) -> Result<(), StoreError> {
    let count = mongo.calls.run(mongo.leases(), async |leases| leases.count_documents(doc! {}).await);
    if count.await? >= u64::from(ServerId::COUNT) {
        return Ok(());
    }
    let never = DateTime::from_millis(0);
    let lease = |id| doc! { "_id": i64::from(id), "holder": "", "fence": 0_i64, "expires": never, "used_until": never };
    let all: Vec<_> = (0..ServerId::COUNT).map(lease).collect();
    let input = (mongo.leases(), all);
    match mongo.calls.run(input, async |(leases, all)| leases.insert_many(all).ordered(false).await).await {
        Err(failure) if !only_duplicates(&failure) => Err(failure.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn only_duplicates(failure: &Failure) -> bool {
    let Failure::Driver(error) = failure else { return false };
    let ErrorKind::InsertMany(error) = &*error.kind else { return false };
    let mut single = error.write_errors.iter().flatten();
    error.write_concern_error.is_none() && single.all(|error| error.code == DUPLICATE_KEY)
}

/// The official group's first channel; its name is the configured one until its settings are changed.
async fn put_official(mongo: &Mongo, name: &str) -> Result<(), StoreError> {
    let new = ChannelRow::of_group(&NewChannel {
        id: ChannelId::OFFICIAL,
        group: GroupId::OFFICIAL,
        settings: ChannelSettings { name: name.to_owned(), ..ChannelSettings::default() },
        overrides: Vec::new(),
    });
    let input = (mongo.channels(), new);
    match mongo.calls.run(input, async |(channels, new)| channels.insert_one(new).await).await {
        Err(failure) if failure.is_duplicate() => {}
        done => return Ok(done.map(drop)?),
    }
    let unchanged = doc! { "_id": ChannelId::OFFICIAL, "settings_at": 0_i64 };
    let change = doc! { "$set": { "settings.name": name } };
    let input = (mongo.channels(), unchanged, change);
    mongo.calls.run(input, async |(channels, old, change)| channels.update_one(old, change).await).await?;
    Ok(())
}

/// Repeats a step that failed while another node ran the same.
async fn repeated<T, F>(step: impl Fn() -> F + Send) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>> + Send,
{
    let mut attempt = 1;
    loop {
        match step().await {
            Err(error) if attempt < ATTEMPTS && !matches!(error, StoreError::Corrupt(_)) => {
                debug!(%error, attempt, "preparing the store: once more");
                sleep(BACKOFF.mul_f64(f64::from(attempt) * (0.5 + fastrand::f64()))).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

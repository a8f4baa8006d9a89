//! A store whose layout another version of the chat node has made.

use std::sync::Arc;

use chat_node::clock::System;
use chat_node::groups::Role;
use chat_node::ids::{ChannelId, GroupId, Revision};
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use chat_node::store::mongo::Mongo;
use chat_node::store::{GroupStore, REMEMBERED, RoleWrite, Seat, Store, StoreError, Written};
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use redb::{Database, ReadableTable, TableDefinition};
use serde_json::Value;

use crate::backends::with_database;
use crate::suite::fixture::user;

fn says(outcome: Result<(), StoreError>, version: &str, next: &str) {
    let Err(StoreError::Refused(reason)) = outcome else { panic!("not refused: {outcome:?}") };
    assert!(reason.contains(&format!("has version {version},")) && reason.contains(next), "{reason}");
}

const LAYOUTS: [(u64, &str); 2] = [(1, "use an empty database"), (99, "run a newer chat node")];

#[tokio::test]
async fn a_file_of_another_version_is_refused_with_the_next_step() {
    for (version, next) in LAYOUTS {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(directory.path().join("chat-node.redb")).unwrap();
        let tx = database.begin_write().unwrap();
        {
            let mut table = tx.open_table(TableDefinition::<&str, u64>::new("layout")).unwrap();
            table.insert("version", version).unwrap();
            table.insert("bucket_ms", BucketLength::default().as_millis()).unwrap();
        }
        tx.commit().unwrap();
        drop(database);
        let store = Embedded::open(directory.path(), BucketLength::default(), Arc::new(System)).unwrap();
        says(store.prepare("Official").await, &version.to_string(), next);
    }
}

#[tokio::test]
async fn a_database_of_another_version_is_refused_with_the_next_step() {
    let test = "a_database_of_another_version_is_refused_with_the_next_step";
    with_database(test, async |uri, database| {
        let store = Mongo::connect(uri, database, BucketLength::default()).await.unwrap();
        store.prepare("Official").await.unwrap();
        let server = mongodb::Client::with_uri_str(uri).await.unwrap();
        let schema = server.database(database).collection::<Document>("schema");
        for (version, next) in LAYOUTS {
            let change = doc! { "$set": { "version": version as i64 } };
            schema.update_one(doc! { "_id": "layout" }, change).await.unwrap();
            says(store.prepare("Official").await, &version.to_string(), next);
        }
    })
    .await;
}

/// What was written before there were revisions is of the first one, and takes writes over it.
async fn takes_writes_over_the_first_revision(store: &dyn Store) {
    let (bob, channel) = (user("bob"), ChannelId::OFFICIAL);
    let seat = store.seat(GroupId::OFFICIAL, &bob).await.unwrap();
    assert_eq!(seat, Seat { role: Some(Role::Muted), revision: Revision(0) });
    let group = store.group(GroupId::OFFICIAL).await.unwrap().unwrap();
    let known = store.channel(channel).await.unwrap().unwrap();
    assert_eq!((group.revision, known.revision), (Revision(0), Revision(0)));
    for (over, written) in [(0, Written::Yes), (5, Written::Overtaken), (1, Written::Yes)] {
        let over = Revision(over);
        let write = RoleWrite { user: bob.clone(), role: None, over, since_ms: 0 };
        assert_eq!(store.set_role(GroupId::OFFICIAL, &write).await, Ok(written));
        assert_eq!(store.set_overrides(channel, &[], over).await, Ok(written));
        assert_eq!(store.set_group_settings(GroupId::OFFICIAL, &group.settings, over).await, Ok(written));
    }
}

#[tokio::test]
async fn rows_of_a_file_that_have_no_revision_yet_are_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Embedded::open(directory.path(), BucketLength::default(), Arc::new(System)).unwrap();
    open().prepare("Official").await.unwrap();
    let database = Database::open(directory.path().join("chat-node.redb")).unwrap();
    let tx = database.begin_write().unwrap();
    {
        let mut members = tx.open_table(TableDefinition::<(u64, &str), &[u8]>::new("members")).unwrap();
        members.insert((1, "bob"), br#"{"role":"muted","since_ms":5}"#.as_slice()).unwrap();
    }
    for table in ["groups", "channels"] {
        let mut table = tx.open_table(TableDefinition::<u64, &[u8]>::new(table)).unwrap();
        let mut row: Value = serde_json::from_slice(table.get(1).unwrap().unwrap().value()).unwrap();
        assert!(row.as_object_mut().unwrap().remove("revision").is_some());
        table.insert(1, row.to_string().as_bytes()).unwrap();
    }
    tx.commit().unwrap();
    drop(database);
    takes_writes_over_the_first_revision(&open()).await;
}

#[tokio::test]
async fn documents_that_have_no_revision_yet_are_written_over() {
    let test = "documents_that_have_no_revision_yet_are_written_over";
    with_database(test, async |uri, database| {
        let store = Mongo::connect(uri, database, BucketLength::default()).await.unwrap();
        store.prepare("Official").await.unwrap();
        let server = mongodb::Client::with_uri_str(uri).await.unwrap();
        let members = server.database(database).collection::<Document>("members");
        let bob = doc! { "_id": "1 bob", "group": 1_i64, "user": "bob", "role": "muted", "since_ms": 5_i64 };
        members.insert_one(bob).await.unwrap();
        takes_writes_over_the_first_revision(&store).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_removed_document_leaves_behind_is_forgotten_by_an_index() {
    let test = "what_a_removed_document_leaves_behind_is_forgotten_by_an_index";
    with_database(test, async |uri, database| {
        let store = Mongo::connect(uri, database, BucketLength::default()).await.unwrap();
        store.prepare("Official").await.unwrap();
        let bob = user("bob");
        for role in [Some(Role::Muted), None] {
            let over = store.seat(GroupId::OFFICIAL, &bob).await.unwrap().revision;
            let write = RoleWrite { user: bob.clone(), role, over, since_ms: 0 };
            assert_eq!(store.set_role(GroupId::OFFICIAL, &write).await, Ok(Written::Yes));
        }
        let server = mongodb::Client::with_uri_str(uri).await.unwrap();
        let members = server.database(database).collection::<Document>("members");
        let left = members.find_one(doc! { "_id": "1 bob" }).await.unwrap().unwrap();
        assert!(left.get_datetime("removed").is_ok() && !left.contains_key("user"), "{left}");
        let indexes: Vec<_> = members.list_indexes().await.unwrap().try_collect().await.unwrap();
        let of_removed = indexes.into_iter().find(|index| index.keys == doc! { "removed": 1 }).unwrap();
        assert_eq!(of_removed.options.unwrap().expire_after, Some(REMEMBERED));
    })
    .await;
}

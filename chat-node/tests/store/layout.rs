//! A store whose layout another version of the chat node has made.

use std::sync::Arc;

use chat_node::clock::System;
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use chat_node::store::mongo::Mongo;
use chat_node::store::{Store, StoreError};
use mongodb::bson::{Document, doc};
use redb::{Database, TableDefinition};

use crate::backends::with_database;

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

//! The backends that the suite runs on.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chat_node::clock::System;
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use chat_node::store::mongo::Mongo;
use chat_node::store::{Store, StoreError};
use futures::FutureExt;
use tokio::sync::Mutex;

use crate::model::{Calls, Model};
use crate::suite::fixture::{Backend, Fixture};

struct OnEmbedded {
    directory: PathBuf,
    open: Mutex<Option<Arc<dyn Store>>>,
}

#[async_trait]
impl Backend for OnEmbedded {
    async fn node(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError> {
        let open = self.open.lock().await.clone();
        match open {
            Some(store) => Ok(store),
            None => self.reopen(bucket).await,
        }
    }

    async fn reopen(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError> {
        let mut open = self.open.lock().await;
        *open = None;
        let store: Arc<dyn Store> = Arc::new(Embedded::open(&self.directory, bucket, Arc::new(System))?);
        *open = Some(store.clone());
        Ok(store)
    }
}

/// Runs a test's body on a file of its own.
pub async fn on_embedded(_: &str, body: impl AsyncFnOnce(Fixture)) {
    let directory = tempfile::tempdir().unwrap();
    body(Fixture::new(OnEmbedded { directory: directory.path().to_owned(), open: Mutex::default() })).await;
}

struct OnSimulated(Model);

#[async_trait]
impl Backend for OnSimulated {
    async fn node(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(Calls(self.0.with_bucket(bucket))))
    }
}

/// Runs a test's body on the store of the simulation.
pub async fn on_simulated(_: &str, body: impl AsyncFnOnce(Fixture)) {
    body(Fixture::new(OnSimulated(Model::new(BucketLength::default(), Arc::new(System))))).await;
}

struct OnMongo {
    uri: String,
    database: String,
}

#[async_trait]
impl Backend for OnMongo {
    async fn node(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(Mongo::connect(&self.uri, &self.database, bucket).await?))
    }
}

/// Runs a test's body on a database of its own, if a server is named.
pub async fn on_mongo(test: &str, body: impl AsyncFnOnce(Fixture)) {
    with_database(test, async |uri, database| {
        body(Fixture::new(OnMongo { uri: uri.to_owned(), database: database.to_owned() })).await;
    })
    .await;
}

/// Gives a body the URI of the server and a database that is dropped afterwards.
pub async fn with_database(test: &str, body: impl AsyncFnOnce(&str, &str)) {
    let Ok(uri) = std::env::var("VIBETALK_TEST_MONGODB_URI") else {
        println!("left out: {test} on MongoDB, set VIBETALK_TEST_MONGODB_URI");
        return;
    };
    let database = format!("vt_{}_{:x}", std::process::id(), fastrand::u64(..));
    let server = mongodb::Client::with_uri_str(&uri).await.unwrap();
    let outcome = AssertUnwindSafe(body(&uri, &database)).catch_unwind().await;
    server.database(&database).drop().await.unwrap();
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
}

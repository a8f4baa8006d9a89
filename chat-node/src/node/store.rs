//! Opening the store, and waiting for one that does not answer yet.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crds::node::Dependency;

use crate::admin::status::Status;
use crate::clock::System;
use crate::config::{Config, StoreChoice};
use crate::store::bucket::BucketLength;
use crate::store::embedded::Embedded;
use crate::store::mongo::Mongo;
use crate::store::{Store, StoreError};

/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The store that the configuration names.
pub(super) async fn open(config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    let bucket = BucketLength::from(config.settings.store.bucket);
    match &config.store {
        StoreChoice::Embedded(directory) => {
            tracing::info!(directory = %directory.display(), "opening the embedded store");
            Ok(Arc::new(Embedded::open(directory, bucket, Arc::new(System))?))
        }
        StoreChoice::Mongo(uri) => {
            let database = &config.settings.store.database;
            tracing::info!(database, "opening the MongoDB store");
            Ok(Arc::new(Mongo::connect(uri, database, bucket).await?))
        }
    }
}

/// Prepares the store, however long it takes to answer.
pub(super) async fn prepare(
    store: &dyn Store,
    official_name: &str,
    status: &Status,
) -> Result<(), StoreError> {
    patiently(status, || store.prepare(official_name)).await
}

/// Repeats what fails because the store does not answer.
pub(super) async fn patiently<F: Future<Output = Result<(), StoreError>>>(
    status: &Status,
    attempt: impl Fn() -> F,
) -> Result<(), StoreError> {
    let mut backoff = Duration::from_millis(200);
    loop {
        match attempt().await {
            Ok(()) => {
                status.set_store(Dependency::Reachable);
                return Ok(());
            }
            Err(StoreError::Unavailable(reason)) => {
                tracing::warn!(%reason, "the store does not answer; trying again");
                status.set_store(Dependency::Unreachable { reason });
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

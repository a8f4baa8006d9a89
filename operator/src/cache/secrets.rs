//! The Secrets that clusters name, each read by its name and believed for a while. Whoever may watch Secrets may list
//! all of them, so they are not watched; a change is seen after that while, or at once where the old credentials have
//! been refused.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use tokio::time::Instant;

use crate::backoff::jitter;

/// One Secret.
#[derive(PartialEq, Eq)]
pub struct SecretData {
    /// Its keys.
    pub data: BTreeMap<String, ByteString>,
    /// Another one after every change, also of what is not data.
    pub version: String,
}

/// Secrets that were read lately, by namespace and name.
#[derive(Debug)]
pub struct Secrets {
    age: Duration,
    read: Mutex<HashMap<(String, String), Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    until: Instant,
    secret: Arc<SecretData>,
}

impl std::fmt::Debug for SecretData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretData").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Secrets {
    pub(super) fn new(age: Duration) -> Self {
        Self { age, read: Mutex::default() }
    }

    /// The Secret, as it is or was not longer ago than the age. One that is missing is looked for every time.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn get(
        &self,
        client: &Client,
        (namespace, name): (&str, &str),
    ) -> kube::Result<Option<Arc<SecretData>>> {
        let key = (namespace.to_owned(), name.to_owned());
        let now = Instant::now();
        if let Some(kept) = self.lock().get(&key).filter(|kept| now < kept.until) {
            return Ok(Some(Arc::clone(&kept.secret)));
        }
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = api.get_opt(name).await?.map(|secret| Arc::new(SecretData::from(secret)));
        let mut read = self.lock();
        // Also those of clusters that are gone.
        read.retain(|_, kept| now < kept.until);
        if let Some(secret) = &found {
            read.insert(key, Kept { until: now + jitter(self.age), secret: Arc::clone(secret) });
        }
        Ok(found)
    }

    /// Makes the next visit read the Secret anew.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Kept>> {
        // Every change is complete before the lock is let go.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Secret> for SecretData {
    fn from(secret: Secret) -> Self {
        let version = [secret.metadata.uid, secret.metadata.resource_version].map(Option::unwrap_or_default);
        Self { data: secret.data.unwrap_or_default(), version: version.join("/") }
    }
}

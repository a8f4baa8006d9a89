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
    since: Instant,
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

    /// The Secret, as it is or was not longer ago than the age, and not before `since` if that is given. One that is
    /// missing is looked for every time.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn get(
        &self,
        client: &Client,
        (namespace, name): (&str, &str),
        since: Option<Instant>,
    ) -> kube::Result<Option<Arc<SecretData>>> {
        let key = (namespace.to_owned(), name.to_owned());
        let now = Instant::now();
        let is_fresh = |kept: &&Kept| now < kept.until && since.is_none_or(|since| since <= kept.since);
        if let Some(kept) = self.lock().get(&key).filter(is_fresh) {
            return Ok(Some(Arc::clone(&kept.secret)));
        }
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = api.get_opt(name).await?.map(|secret| Arc::new(SecretData::from(secret)));
        let mut read = self.lock();
        // Also those of clusters that are gone.
        read.retain(|_, kept| now < kept.until);
        if let Some(secret) = &found {
            read.insert(key, Kept { since: now, until: now + jitter(self.age), secret: Arc::clone(secret) });
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    const AGE: Duration = Duration::from_secs(60);

    /// An API server with a Secret of every name, and how often it was asked.
    fn api_server() -> (Client, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        let answer = move |_: Request<Body>| {
            let number = counts.fetch_add(1, Ordering::SeqCst);
            let secret = json!({ "metadata": { "resourceVersion": number.to_string() } });
            async move { Ok::<_, Infallible>(Response::new(Body::from(secret.to_string().into_bytes()))) }
        };
        (Client::new(service_fn(answer), "chat"), asked)
    }

    #[tokio::test(start_paused = true)]
    async fn clusters_that_were_there_when_a_secret_was_read_share_it_and_later_ones_read_it_anew() {
        let ((client, asked), secrets) = (api_server(), Secrets::new(AGE));
        let get = async |since: Option<Instant>| {
            secrets.get(&client, ("chat", "mq"), since).await.unwrap().unwrap();
            asked.load(Ordering::SeqCst)
        };
        let early = Instant::now();
        assert_eq!(get(None).await, 1);
        assert_eq!((get(Some(early)).await, get(None).await), (1, 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        let late = Instant::now();
        assert_eq!((get(Some(early)).await, get(None).await), (1, 1));
        assert_eq!((get(Some(late)).await, get(Some(late)).await), (2, 2));
        tokio::time::advance(AGE * 2).await;
        assert_eq!((get(None).await, get(Some(early)).await), (3, 3), "too old for anybody");
        secrets.forget("chat", "mq");
        assert_eq!(get(None).await, 4);
    }
}

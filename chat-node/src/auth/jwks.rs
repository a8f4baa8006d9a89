//! The issuer's public keys by URL: fetched at the start, kept fresh, looked at again for a token whose key is not
//! known. One fetch at a time; one that fails leaves the keys as they are.

mod fetch;
mod schedule;
mod url;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub use self::fetch::FetchError;
use self::fetch::Fetched;
use self::schedule::Schedule;
pub use self::url::{JwksUrl, NotJwksUrl};
use super::Keys;
use crate::metrics::{Metrics, Outcome};

/// The longest that one fetch may take.
pub const FETCH_WITHIN: Duration = Duration::from_secs(5);

/// The issuer's keys. Clones share them.
#[derive(Clone)]
pub struct Jwks(Arc<Shared>);

struct Shared {
    url: JwksUrl,
    client: reqwest::Client,
    keys: watch::Sender<Arc<Keys>>,
    schedule: Mutex<Schedule>,
    asked: Notify,
    metrics: Arc<Metrics>,
}

impl Jwks {
    /// Fetches the keys for the first time.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(url: &JwksUrl, metrics: &Arc<Metrics>) -> Result<Self, FetchError> {
        let client = fetch::client(url)?;
        let fetched = fetch::get(&client, url).await;
        metrics.keys_fetched(Outcome::of(&fetched));
        let Fetched { keys, lifetime } = fetched?;
        tracing::info!(url = %url, ?keys, ?lifetime, "fetched the keys of tokens");
        Ok(Self(Arc::new(Shared {
            url: url.clone(),
            client,
            keys: watch::Sender::new(Arc::new(keys)),
            schedule: Mutex::new(Schedule::fetched(lifetime, Instant::now())),
            asked: Notify::new(),
            metrics: Arc::clone(metrics),
        })))
    }

    /// The keys as they were fetched last.
    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.keys.borrow())
    }

    /// Waits for a fetch that began after this or is under way; not at all, if there was one just now.
    pub async fn look_again(&self) {
        let mut fetched = self.0.keys.subscribe();
        if self.schedule().ask(Instant::now()) {
            self.0.asked.notify_one();
            // A fetch that takes longer is given up by whoever waits, not by who fetches.
            let _ = tokio::time::timeout(FETCH_WITHIN, fetched.changed()).await;
        }
    }

    /// Fetches whenever it is time to. Never ends.
    pub async fn keep_fresh(self) {
        loop {
            let due = self.schedule().due();
            tokio::select! {
                () = tokio::time::sleep_until(due) => self.refresh().await,
                () = self.0.asked.notified() => {}
            }
        }
    }

    async fn refresh(&self) {
        self.schedule().begin(Instant::now());
        let fetched = fetch::get(&self.0.client, &self.0.url).await;
        self.0.metrics.keys_fetched(Outcome::of(&fetched));
        match fetched {
            Ok(Fetched { keys, lifetime }) => {
                tracing::debug!(?keys, ?lifetime, "fetched the keys of tokens");
                self.schedule().succeeded(lifetime, Instant::now());
                self.0.keys.send_replace(Arc::new(keys));
            }
            Err(error) => {
                tracing::warn!(url = %self.0.url, %error, "the keys of tokens could not be fetched; the old ones stay");
                self.schedule().failed(fastrand::f64(), Instant::now());
                // Whoever waits for this fetch shall not wait longer.
                self.0.keys.send_modify(|_| {});
            }
        }
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.0.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwks").field("url", &self.0.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! Clusters that need nothing. The decision is a pure function: as long as nothing has changed of what the last visit
//! saw, the next one would decide the same, and does not have to read and compare every object again.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::jitter;

/// After this a cluster is looked at in full, whatever has not changed.
const AGE: Duration = Duration::from_secs(300);

/// A number for all that a visit has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// What the last visit to each settled cluster has seen, by uid.
#[derive(Debug, Default)]
pub struct Settled {
    seen: Mutex<HashMap<String, (Fingerprint, Instant)>>,
}

/// Takes in text without keeping it.
struct Taking(DefaultHasher);

impl Write for Taking {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Fingerprint {
    /// That of everything in `seen`, all of which `Debug` must show.
    pub fn of(seen: &impl fmt::Debug) -> Self {
        let mut taking = Taking(DefaultHasher::new());
        // Taking in cannot fail.
        let _ = write!(taking, "{seen:?}");
        Self(taking.0.finish())
    }
}

impl Settled {
    /// Notes that a visit which saw this had nothing to do.
    pub fn note(&self, uid: &str, seen: Fingerprint) {
        let now = Instant::now();
        let mut all = self.lock();
        // Also those of clusters that are gone.
        all.retain(|_, (_, until)| now < *until);
        all.insert(uid.to_owned(), (seen, now + jitter(AGE)));
    }

    /// Whether there was nothing to do when this was seen the last time.
    pub fn is(&self, uid: &str, seen: Fingerprint) -> bool {
        self.lock().get(uid).is_some_and(|(last, until)| *last == seen && Instant::now() < *until)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Fingerprint, Instant)>> {
        // Every change is complete before the lock is let go.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cluster_is_settled_until_something_changes_or_it_was_long_ago() {
        let (settled, one, other) = (Settled::default(), Fingerprint::of(&"one"), Fingerprint::of(&"other"));
        assert!(!settled.is("a", one));
        settled.note("a", one);
        assert!(settled.is("a", one) && !settled.is("a", other) && !settled.is("b", one));
        tokio::time::advance(AGE * 2).await;
        assert!(!settled.is("a", one));
        settled.note("b", one);
        assert!(!settled.lock().contains_key("a"), "old ones are not kept");
    }
}

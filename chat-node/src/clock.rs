//! Time, so that tests can hold it. Pure code takes instants and milliseconds as arguments; only the shell asks.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where the time comes from.
pub trait Clock: Debug + Send + Sync {
    /// What the machine's calendar says, in ms since the Unix epoch. May jump, also back.
    fn wall_ms(&self) -> u64;

    /// Never goes back. Follows the runtime's time, so it stands still where a test has paused that.
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn wall_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A calendar that is set by hand.
#[derive(Clone, Debug)]
pub struct Manual(Arc<AtomicU64>);

impl Manual {
    /// A clock that shows `ms` until it is set.
    pub fn at(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }

    /// Shows `ms` from now on.
    pub fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::Relaxed);
    }

    /// Moves `ms` on.
    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for Manual {
    fn wall_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

//! Calendars that run with the runtime's time, each as wrong as it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chat_node::clock::Clock;
use chat_node::ids::snowflake::EPOCH_MS;
use tokio::time::Instant;

/// What a true calendar shows when a run begins: a moment in 2026.
pub const T0_MS: u64 = EPOCH_MS + 500 * 86_400_000;

#[derive(Clone, Debug)]
pub struct SkewedClock {
    start: Instant,
    ahead_ms: Arc<AtomicI64>,
}

impl SkewedClock {
    pub fn new(start: Instant, ahead_ms: i64) -> Self {
        Self { start, ahead_ms: Arc::new(AtomicI64::new(ahead_ms)) }
    }

    /// Goes ahead of the truth by so much from now on.
    pub fn set_ahead(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }
}

impl Clock for SkewedClock {
    fn wall_ms(&self) -> u64 {
        let true_ms = T0_MS + self.start.elapsed().as_millis() as u64;
        true_ms.saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }
}

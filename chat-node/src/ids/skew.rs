//! The store's clock as this machine sees it. Ids take their time from it, so a machine whose own clock is wrong
//! still makes ids with the right time; its distance is only measured and reported.

use std::time::Duration;

use tokio::time::Instant;

/// An answer that took longer is no better than what was known before it: clocks drift less in the time between two.
const PRECISE: Duration = Duration::from_millis(100);

/// One comparison with the store's clock, exact to half the time that a prompt answer took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreTime {
    at: Instant,
    store_ms: u64,
    skew_ms: i64,
}

/// Moments around a question to the store.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// When it was asked.
    pub from: Instant,
    /// When the answer was there.
    pub until: Instant,
    /// This machine's clock when the answer was there, in ms since the Unix epoch.
    pub wall_ms: u64,
}

impl StoreTime {
    /// The farthest that a machine's clock may be off, in ms, for the node to serve: tokens expire by that clock.
    pub const TOLERATED_SKEW_MS: u64 = 5_000;

    /// From the store's answer `store_ms`, taken to be made half-way. An answer that took long says little: if there is
    /// an earlier comparison, it holds as far as the answer allows.
    pub fn measured(asked: Asked, store_ms: u64, earlier: Option<Self>) -> Self {
        let took = asked.until.saturating_duration_since(asked.from);
        let latest_ms = store_ms.saturating_add(millis(took));
        let store_ms = match earlier {
            Some(earlier) if took > PRECISE => earlier.now_ms(asked.until).clamp(store_ms, latest_ms),
            _ => store_ms.saturating_add(millis(took / 2)),
        };
        let skew_ms = i64::try_from(i128::from(asked.wall_ms) - i128::from(store_ms)).unwrap_or(i64::MAX);
        Self { at: asked.until, store_ms, skew_ms }
    }

    /// The store's clock at `now`, in ms since the Unix epoch.
    pub fn now_ms(&self, now: Instant) -> u64 {
        self.store_ms.saturating_add(millis(now.saturating_duration_since(self.at)))
    }

    /// This machine's clock minus the store's, in ms.
    pub fn skew_ms(&self) -> i64 {
        self.skew_ms
    }

    /// Whether the machine's clock is near enough to the store's.
    pub fn is_tolerable(&self) -> bool {
        self.skew_ms.unsigned_abs() <= Self::TOLERATED_SKEW_MS
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(wall_ms: u64, took_ms: u64, store_ms: u64) -> StoreTime {
        let from = Instant::now();
        let until = from + Duration::from_millis(took_ms);
        StoreTime::measured(Asked { from, until, wall_ms }, store_ms, None)
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_is_taken_to_be_made_half_way() {
        assert_eq!(measured(1_000_010, 20, 1_000_000).skew_ms(), 0);
        assert_eq!(measured(1_000_000, 0, 1_000_700).skew_ms(), -700);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_took_long_changes_only_what_cannot_be_true() {
        let known = measured(1_000_000, 0, 1_000_000);
        let from = Instant::now();
        let until = from + Duration::from_secs(20);
        // The machine says 1,020,000 when the answer is there; the store may have made it at any moment in between.
        for (answer_ms, skew_ms) in
            [(1_000_000, 0), (1_013_000, 0), (1_020_000, 0), (1_021_000, -1_000), (990_000, 10_000)]
        {
            let asked = Asked { from, until, wall_ms: 1_020_000 };
            assert_eq!(StoreTime::measured(asked, answer_ms, Some(known)).skew_ms(), skew_ms, "{answer_ms}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_time_runs_on_whatever_the_wall_clock_says() {
        let time = measured(99_000_000, 0, 1_000_000);
        assert_eq!(time.now_ms(Instant::now() + Duration::from_secs(3)), 1_003_000);
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_five_seconds_are_not_tolerated() {
        assert!(measured(1_005_000, 0, 1_000_000).is_tolerable());
        assert!(!measured(1_005_001, 0, 1_000_000).is_tolerable());
        assert!(!measured(994_999, 0, 1_000_000).is_tolerable());
    }
}

//! When to fetch keys.

use std::time::Duration;

use tokio::time::Instant;

/// Fetches for unknown keys are at least this far apart, so that made-up tokens cannot make a node flood the issuer.
const ASKED_APART: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// When the next fetch is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    due: Instant,
    begun: Instant,
    is_running: bool,
    failures: u32,
}

impl Schedule {
    /// A fetch has just succeeded.
    pub(super) fn fetched(lifetime: Duration, now: Instant) -> Self {
        Self { due: now + lifetime, begun: now, is_running: false, failures: 0 }
    }

    /// When to begin.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Asks for a fetch out of turn. Whether it is worth waiting for one.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let is_too_soon = now.saturating_duration_since(self.begun) < ASKED_APART;
        if !self.is_running && !is_too_soon {
            self.due = self.due.min(now);
        }
        self.is_running || !is_too_soon
    }

    pub(super) fn begin(&mut self, now: Instant) {
        (self.is_running, self.begun) = (true, now);
    }

    pub(super) fn succeeded(&mut self, lifetime: Duration, now: Instant) {
        *self = Self { begun: self.begun, ..Self::fetched(lifetime, now) };
    }

    /// `spread` from 0 to 1 keeps nodes from coming back together.
    pub(super) fn failed(&mut self, spread: f64, now: Instant) {
        let backoff = BACKOFF_MIN.saturating_mul(1 << self.failures.min(6)).min(BACKOFF_MAX);
        self.is_running = false;
        self.failures = self.failures.saturating_add(1);
        self.due = now + backoff.mul_f64(0.5 + spread / 2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_is_due_when_the_keys_get_old() {
        let start = Instant::now();
        assert_eq!(Schedule::fetched(HOUR, start).due(), start + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_keys_cause_at_most_one_fetch_in_ten_seconds() {
        let start = Instant::now();
        let mut schedule = Schedule::fetched(HOUR, start);
        assert!(!schedule.ask(start + second(9)));
        assert_eq!(schedule.due(), start + HOUR);
        let later = start + second(10);
        assert!(schedule.ask(later));
        assert_eq!(schedule.due(), later);
        schedule.begin(later);
        assert!(schedule.ask(later + second(1)), "a fetch is under way, so it is worth waiting");
        schedule.succeeded(HOUR, later + second(2));
        assert!(!schedule.ask(later + second(9)));
        assert!(schedule.ask(later + second(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_farther_and_farther_apart_up_to_a_minute() {
        let mut now = Instant::now();
        let mut schedule = Schedule::fetched(HOUR, now);
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            schedule.begin(now);
            schedule.failed(1.0, now);
            assert_eq!(schedule.due(), now + second(expected));
            now = schedule.due();
        }
        schedule.begin(now);
        schedule.succeeded(HOUR, now);
        schedule.failed(0.0, now);
        assert_eq!(schedule.due(), now + Duration::from_millis(500));
    }
}

//! How long a resource that failed is left alone: doubling from one second to five minutes, with jitter so that many
//! that failed together do not come back together.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row of every resource that failed last time, by uid.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// Notes a failure; how long to wait now.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.lock();
        let count = failures.entry(uid.to_owned()).or_default();
        let delay = FIRST.saturating_mul(2_u32.saturating_pow(*count)).min(LONGEST);
        *count = count.saturating_add(1);
        jitter(delay)
    }

    /// Notes a success, or that the resource is gone.
    pub fn reset(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        // A count that a panic left half written is still a count.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The delay, up to a tenth shorter or longer.
pub fn jitter(delay: Duration) -> Duration {
    delay.mul_f64(0.9 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(delay: Duration, seconds: u64) -> bool {
        let wanted = Duration::from_secs(seconds);
        delay >= wanted.mul_f64(0.89) && delay <= wanted.mul_f64(1.11)
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_five_minutes() {
        let backoff = Backoff::default();
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let delay = backoff.failed("a");
            assert!(about(delay, seconds), "{delay:?} is not about {seconds} s");
        }
    }

    #[test]
    fn a_success_and_other_resources_begin_anew() {
        let backoff = Backoff::default();
        backoff.failed("a");
        assert!(about(backoff.failed("b"), 1));
        backoff.reset("a");
        assert!(about(backoff.failed("a"), 1));
    }
}

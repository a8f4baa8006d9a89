//! How long a client waits before it connects again, as the protocol says.

use std::time::Duration;

use fastrand::Rng;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// Counts the tries that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The wait before the next try: a random part of 0.5 s before the first, of twice as long before each further one,
    /// up to 15 s.
    pub fn next(&mut self, rng: &mut Rng) -> Duration {
        let most = FIRST.saturating_mul(1 << self.tries.min(5)).min(LONGEST);
        self.tries += 1;
        most.mul_f64(rng.f64())
    }

    /// The client is signed in.
    pub fn succeeded(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_random_and_grow_to_fifteen_seconds() {
        let (mut backoff, mut rng) = (Backoff::default(), Rng::with_seed(1));
        for most in [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0] {
            let waits: Vec<_> = (0..200).map(|_| backoff.clone().next(&mut rng).as_secs_f64()).collect();
            let longest = waits.iter().copied().fold(0.0, f64::max);
            assert!(longest <= most && longest > most * 0.9, "{longest} of {most}");
            backoff.next(&mut rng);
        }
        backoff.succeeded();
        assert_eq!(backoff, Backoff::default());
    }
}

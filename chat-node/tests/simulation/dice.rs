//! Chance that can be repeated: each part of a run has a generator of its own, so that a change in one part does not
//! change the luck of all others.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;

#[derive(Debug)]
pub struct Dice(Mutex<Rng>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::with_seed(seed)))
    }

    /// Dice for another part.
    pub fn fork(&self) -> Self {
        Self::new(self.with(|rng| rng.u64(..)))
    }

    pub fn with<T>(&self, roll: impl FnOnce(&mut Rng) -> T) -> T {
        roll(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether something happens that has this probability.
    pub fn happens(&self, probability: f64) -> bool {
        probability > 0.0 && self.with(|rng| rng.f64() < probability)
    }

    /// A number from 0 up to and with `max`.
    pub fn up_to(&self, max: u64) -> u64 {
        self.with(|rng| rng.u64(0..=max))
    }

    pub fn ms(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.with(|rng| rng.u64(range)))
    }

    pub fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        self.with(|rng| (!from.is_empty()).then(|| &from[rng.usize(..from.len())]))
    }

    /// The numbers below `count` in a random order.
    pub fn order(&self, count: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..count).collect();
        self.with(|rng| rng.shuffle(&mut order));
        order
    }
}

//! Many runs, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::flaw::Flaw;
use crate::run::{Outcome, run};

/// The number in an environment variable.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs the first so many seeds until one fails; gives the first of those that fail, and how many entries were stored.
pub fn first_failure(seeds: u64, flaw: Option<Flaw>) -> (Option<(u64, Outcome)>, u64) {
    let (next, entries) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(None::<(u64, Outcome)>);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || failed.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                        return;
                    }
                    let outcome = run(seed, flaw);
                    entries.fetch_add(outcome.messages as u64, Ordering::Relaxed);
                    // Another thread may be at an earlier one still.
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    let is_first = failed.as_ref().is_none_or(|(other, _)| seed < *other);
                    if outcome.failure.is_some() && is_first {
                        *failed = Some((seed, outcome));
                    }
                }
            });
        }
    });
    (failed.into_inner().unwrap_or_else(PoisonError::into_inner), entries.into_inner())
}

/// A run in words.
pub fn shown(seed: u64, outcome: &Outcome) -> String {
    match &outcome.failure {
        None => format!(
            "seed {seed}: sound; {} events, {} entries, hash {:016x}",
            outcome.events(),
            outcome.messages,
            outcome.hash()
        ),
        Some(failure) => format!(
            "seed {seed}: {}\n{}\nRun it again: VT_SIM_SEED={seed} cargo test --test simulation every_client",
            failure.violation.what, failure.before
        ),
    }
}

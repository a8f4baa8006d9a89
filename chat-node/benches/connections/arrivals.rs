//! Frames that come to many clients, and when the last of them was there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::timeout;

const WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at what has arrived.
const LOOK: Duration = Duration::from_millis(1);

/// All clones count the same.
#[derive(Clone, Default)]
pub struct Arrivals(Arc<Counts>);

#[derive(Default)]
struct Counts {
    came: AtomicUsize,
    due: AtomicUsize,
    /// When as many had come as were due.
    all_at: Mutex<Option<Instant>>,
}

impl Arrivals {
    /// One more has come.
    pub fn note(&self) {
        let came = self.0.came.fetch_add(1, Ordering::Relaxed) + 1;
        if came == self.0.due.load(Ordering::Relaxed) {
            *self.0.all_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// So many more are due; say so before they are sent.
    pub fn expect(&self, frames: usize) {
        self.0.due.fetch_add(frames, Ordering::Relaxed);
    }

    /// Whether none is still to come.
    pub fn are_all_here(&self) -> bool {
        self.came() >= self.0.due.load(Ordering::Relaxed)
    }

    /// Waits until all have come; gives when the last one did.
    pub async fn all(&self) -> Result<Instant> {
        self.all_but(0).await?;
        self.0.all_at.lock().unwrap_or_else(PoisonError::into_inner).context("nothing was due")
    }

    /// Waits until no more than so many are still to come.
    pub async fn all_but(&self, frames: usize) -> Result<()> {
        let due = self.0.due.load(Ordering::Relaxed).saturating_sub(frames);
        let come = async {
            while self.came() < due {
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(WITHIN, come).await.with_context(|| format!("{} of {due} arrived", self.came()))
    }

    fn came(&self) -> usize {
        self.0.came.load(Ordering::Relaxed)
    }
}

//! Pages of one kind, read by several at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chat_node::store::Store;
use serde::Serialize;
use tokio::task::{JoinSet, yield_now};

use crate::archive::Archive;
use crate::view::{PAGE, View};

/// Pages of a cell, unless they take longer than it may.
const PAGES: usize = 4_000;
const WITHIN: Duration = Duration::from_secs(3);

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub archive: Archive,
    pub view: View,
    pub readers: usize,
}

/// How fast its pages came, and the times that half and nearly all of them stayed below.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    pages_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Cell {
    pub async fn measure(self, store: &Arc<dyn Store>) -> Result<Figures> {
        let (began, begun) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
        let mut reading = JoinSet::new();
        for reader in 0..self.readers {
            reading.spawn(self.read(store.clone(), begun.clone(), reader));
        }
        let mut took = Vec::new();
        while let Some(pages) = reading.join_next().await {
            took.extend(pages??);
        }
        Figures::of(took, began.elapsed())
    }

    /// Reads pages until there are enough; gives how long each took.
    async fn read(
        self,
        store: Arc<dyn Store>,
        begun: Arc<AtomicUsize>,
        reader: usize,
    ) -> Result<Vec<Duration>> {
        let (until, mut took) = (Instant::now() + WITHIN, Vec::new());
        let mut dice = fastrand::Rng::with_seed(reader as u64);
        while begun.fetch_add(1, Ordering::Relaxed) < PAGES && Instant::now() < until {
            let page = self.view.any(self.archive, &mut dice);
            let asked = Instant::now();
            // Who asks over a socket waits for those who asked before.
            yield_now().await;
            let found = store.history(page.channel.id(), page.around, PAGE).await?;
            took.push(asked.elapsed());
            page.check(&found)?;
        }
        Ok(took)
    }
}

impl Figures {
    /// Of pages that took so long each, and all together.
    fn of(mut took: Vec<Duration>, lasted: Duration) -> Result<Self> {
        ensure!(!took.is_empty(), "no page in {WITHIN:?}");
        took.sort_unstable();
        let last = (took.len() - 1) as f64;
        let ms = |part: f64| took[(last * part).round() as usize].as_secs_f64() * 1e3;
        let pages_per_second = took.len() as f64 / lasted.as_secs_f64();
        Ok(Self { pages_per_second, p50_ms: ms(0.5), p99_ms: ms(0.99) })
    }
}

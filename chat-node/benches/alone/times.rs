//! How long things took.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;

/// The times that half and nearly all of them stayed below.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    count: usize,
    p50_ms: f64,
    p99_ms: f64,
}

impl Times {
    pub fn of(mut took: Vec<Duration>) -> Result<Self> {
        ensure!(!took.is_empty(), "nothing was measured");
        took.sort_unstable();
        let at =
            |part: f64| took[((took.len() as f64 * part) as usize).min(took.len() - 1)].as_secs_f64() * 1e3;
        Ok(Self { count: took.len(), p50_ms: at(0.5), p99_ms: at(0.99) })
    }
}

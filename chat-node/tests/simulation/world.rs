//! What all parts of a run share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_node::store::bucket::BucketLength;
use tokio::time::Instant;

use crate::clock::SkewedClock;
use crate::dice::Dice;
use crate::flaw::Flaw;
use crate::model::Model;
use crate::oracle::Oracle;
use crate::trace::Trace;
use crate::weather::Weather;

#[derive(Debug)]
pub struct World {
    pub start: Instant,
    pub dice: Dice,
    pub trace: Trace,
    pub oracle: Oracle,
    pub store: Model,
    pub store_clock: SkewedClock,
    /// What is wrong on purpose, so that the oracle must find it.
    pub flaw: Option<Flaw>,
    weather: Mutex<Weather>,
}

impl World {
    /// A world at its beginning; the runtime's time must be paused.
    pub fn new(seed: u64, flaw: Option<Flaw>) -> Arc<Self> {
        let start = Instant::now();
        let store_clock = SkewedClock::new(start, 0);
        Arc::new(Self {
            start,
            dice: Dice::new(seed),
            trace: Trace::new(start),
            oracle: Oracle::default(),
            store: Model::new(BucketLength::default(), Arc::new(store_clock.clone())),
            store_clock,
            flaw,
            weather: Mutex::default(),
        })
    }

    pub fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

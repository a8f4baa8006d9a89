//! What all parts of a run share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_node::ids::UserId;
use chat_node::store::bucket::BucketLength;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::clock::SkewedClock;
use crate::dice::Dice;
use crate::flaw::Flaw;
use crate::model::Model;
use crate::oracle::Oracle;
use crate::trace::{NodeId, Trace};
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
    /// Users who come, and where.
    pub arrivals: broadcast::Sender<(UserId, NodeId)>,
    /// Some clients act only at multiples of this, so that much happens at the same moment.
    beat: Duration,
    /// Longest pause of a client between two things that it does, in ms.
    pub pace_ms: u64,
    weather: Mutex<Weather>,
}

impl World {
    /// A world at its beginning; the runtime's time must be paused.
    pub fn new(seed: u64, flaw: Option<Flaw>) -> Arc<Self> {
        let start = Instant::now();
        let store_clock = SkewedClock::new(start, 0);
        let dice = Dice::new(seed);
        let beat = [1, 1, 250, 1_000][dice.up_to(3) as usize];
        let pace_ms = 250 << dice.up_to(3);
        Arc::new(Self {
            start,
            dice,
            trace: Trace::new(start),
            oracle: Oracle::default(),
            store: Model::new(BucketLength::default(), Arc::new(store_clock.clone())),
            store_clock,
            flaw,
            arrivals: broadcast::channel(16).0,
            beat: Duration::from_millis(beat),
            pace_ms,
            weather: Mutex::default(),
        })
    }

    /// Says that a user comes.
    pub fn arrives(&self, user: &UserId, node: NodeId) {
        // Mostly nobody minds.
        let _ = self.arrivals.send((user.clone(), node));
    }

    /// The first moment at or after `moment` to act at.
    pub fn on_the_beat(&self, moment: Instant) -> Instant {
        let beats = (moment - self.start).as_millis().div_ceil(self.beat.as_millis());
        self.start + self.beat * beats as u32
    }

    pub fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

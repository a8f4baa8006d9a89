//! A node's life as the world outside sees it: whatever goes in or out passes here, so that a node can die or stop at
//! any of its calls. A dead node's calls never end: it does nothing any more, not even tidy up.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::trace::{Event, NodeId};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Stopped, as by SIGSTOP or a long pause of its machine.
    Paused,
    Dead,
}

#[derive(Debug)]
pub struct Life {
    pub node: NodeId,
    world: Arc<World>,
    phase: Mutex<Phase>,
    /// Wakes in the order of waiting; a watch channel would not.
    resumed: Notify,
    pauses: AtomicU64,
    /// How often it has begun to look how far the channels are, and how often it has ended that.
    looks: [AtomicU64; 2],
    /// Calls until the node dies; negative: it does not.
    dies_in: AtomicI64,
    /// Cancelled when the node dies: whatever is connected to it breaks.
    pub broken: CancellationToken,
}

impl Life {
    pub fn new(node: NodeId, world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            node,
            world: Arc::clone(world),
            phase: Mutex::new(Phase::Running),
            resumed: Notify::new(),
            pauses: AtomicU64::new(0),
            looks: Default::default(),
            dies_in: AtomicI64::new(-1),
            broken: CancellationToken::new(),
        })
    }

    /// One step of a call: the node may die here, or wait until it goes on.
    pub async fn step(&self) {
        self.count();
        self.runs().await;
    }

    /// The same for what cannot wait; whether the node is alive.
    pub fn step_now(&self) -> bool {
        self.count();
        self.is_alive()
    }

    /// Waits while the node is stopped, for ever once it is dead.
    pub async fn runs(&self) {
        while !self.is_running() {
            self.resumed.notified().await;
        }
    }

    pub fn is_running(&self) -> bool {
        *self.phase() == Phase::Running
    }

    pub fn is_alive(&self) -> bool {
        *self.phase() != Phase::Dead
    }

    pub fn die(&self) {
        if self.is_alive() {
            self.world.trace.note(Event::NodeDies(self.node));
            *self.phase() = Phase::Dead;
            self.broken.cancel();
        }
    }

    /// Lets the node die at its `calls`th step from now.
    pub fn die_in(&self, calls: u64) {
        self.dies_in.store(calls as i64, Ordering::Relaxed);
    }

    pub fn pause(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Running {
            *phase = Phase::Paused;
            self.pauses.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends a pause.
    pub fn resume(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Paused {
            *phase = Phase::Running;
            self.resumed.notify_waiters();
        }
    }

    pub fn begins_to_look(&self) {
        self.looks[0].fetch_add(1, Ordering::Relaxed);
    }

    pub fn has_looked(&self) {
        self.looks[1].fetch_add(1, Ordering::Relaxed);
    }

    /// Changes when the node looks how far the channels are, or is stopped; `None`: it is at it, or cannot, or does not
    /// serve yet.
    pub fn looks(&self) -> Option<(u64, u64)> {
        let [begun, ended] = self.looks.each_ref().map(|count| count.load(Ordering::Relaxed));
        let waits = begun > 0 && begun == ended && *self.phase() == Phase::Running;
        waits.then(|| (begun, self.pauses.load(Ordering::Relaxed)))
    }

    /// Lets the node live although it was to die.
    pub fn spare(&self) {
        self.dies_in.store(-1, Ordering::Relaxed);
    }

    fn count(&self) {
        let left = self.dies_in.load(Ordering::Relaxed);
        if left == 0 {
            self.die();
        }
        self.dies_in.store((left - 1).max(-1), Ordering::Relaxed);
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Writes what was queued, for many connections in turn: a message to ten thousand of them wakes one task, and what comes
//! for a connection before its turn goes into the same write.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::SendQueue;

/// Connections that are written to before others run on this thread. A write costs about 10 µs.
const SLICE: usize = 64;
/// Those of them that are kept for the many, so that a crowd of few cannot hold them up for ever.
const BULK_SHARE: usize = SLICE / 4;

/// How soon frames are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Haste {
    /// They go to many connections, and others go first.
    Bulk,
    /// They go to a few, who do not wait behind the many.
    Prompt,
}

/// Queues that have something to write, in two lanes.
#[derive(Debug, Default)]
pub struct Flusher {
    lanes: Mutex<Lanes>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Lanes {
    prompt: VecDeque<SendQueue>,
    bulk: VecDeque<SendQueue>,
}

impl Flusher {
    /// Writes for ever.
    pub async fn run(&self) {
        loop {
            let filled = self.filled.notified();
            let queues = self.take();
            if queues.is_empty() {
                filled.await;
                continue;
            }
            queues.iter().for_each(SendQueue::prefetch);
            for queue in queues {
                // What stalls is its driver's.
                queue.flush();
            }
            tokio::task::yield_now().await;
        }
    }

    /// Lets a queue be flushed when its turn has come.
    pub(super) fn add(&self, queue: SendQueue, haste: Haste) {
        let mut lanes = self.lanes();
        let was_empty = lanes.prompt.is_empty() && lanes.bulk.is_empty();
        match haste {
            Haste::Prompt => lanes.prompt.push_back(queue),
            Haste::Bulk => lanes.bulk.push_back(queue),
        }
        drop(lanes);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Those whose turn it is.
    pub(super) fn take(&self) -> Vec<SendQueue> {
        let mut lanes = self.lanes();
        let prompt = lanes.prompt.len().min(SLICE - lanes.bulk.len().min(BULK_SHARE));
        let bulk = lanes.bulk.len().min(SLICE - prompt);
        let Lanes { prompt: first, bulk: second } = &mut *lanes;
        first.drain(..prompt).chain(second.drain(..bulk)).collect()
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What waits to be written to one connection: bounded in bytes. Ephemeral frames give way first; when that is not
//! enough the connection is too slow.
//!
//! A queue has either a reader that takes its frames, or an [`Outlet`] that they leave by: then the [`Flusher`] writes them,
//! for all connections in turn, and a connection's own task has to help only when its client does not read.

mod flusher;
mod outlet;

use std::future::poll_fn;
use std::hint::black_box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::task::AtomicWaker;
use smallvec::SmallVec;
use tokio::sync::Notify;

pub use self::flusher::{Flusher, Haste};
pub use self::outlet::{Outlet, Sink};
use crate::protocol::codec::{Class, Encoded};

/// Room that a waiting frame takes beside its text, in bytes.
const FRAME_OVERHEAD: usize = 32;
/// An empty queue keeps room for so many frames.
const KEPT: usize = 16;

/// The end that the hub puts frames into. Clones feed the same queue.
#[derive(Clone, Debug)]
pub struct SendQueue {
    shared: Arc<Shared>,
}

/// The end of the connection's driver: one task waits here at a time.
#[derive(Debug)]
pub struct SendQueueReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<State>,
    /// The driver, which may have something to do.
    driver: AtomicWaker,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Most often one: a list elsewhere would have to be fetched from memory too.
    frames: SmallVec<[Encoded; 2]>,
    /// How many bytes of the first frame are written.
    begun: usize,
    /// Whether somebody waits until there is room.
    awaited: bool,
    bytes: usize,
    dropped: u64,
    overflowed: bool,
    closed: bool,
    outlet: Option<Outlet>,
}

/// What a queue's driver has to do.
#[derive(Debug)]
pub enum Due {
    /// These frames are to be written, in order.
    Frames(Vec<Encoded>),
    /// The outlet takes no more: [`SendQueue::flush`] when it does again.
    Stalled,
}

/// What became of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing waits any more.
    All,
    /// The rest waits until the outlet takes more.
    Stalled,
    /// Nothing will ever be taken any more.
    Broken,
}

/// A queue for at most `limit` bytes.
pub fn send_queue(limit: usize) -> (SendQueue, SendQueueReader) {
    let shared = Arc::new(Shared {
        limit,
        state: Mutex::default(),
        driver: AtomicWaker::new(),
        emptied: Notify::new(),
    });
    (SendQueue { shared: Arc::clone(&shared) }, SendQueueReader { shared })
}

impl SendQueue {
    /// Queues a live frame. Ephemeral ones may take half of the queue, and are dropped for the others when there is
    /// no room. If that is not enough the connection is marked as too slow and takes nothing more: a client that
    /// missed an event must come back with its cursors.
    pub fn push(&self, frame: &Encoded) {
        self.push_all(std::slice::from_ref(frame), Haste::Prompt);
    }

    /// Queues live frames, as [`Self::push`] does.
    pub fn push_all(&self, frames: &[Encoded], haste: Haste) {
        let mut state = self.shared.lock();
        for frame in frames {
            if state.overflowed || state.closed {
                return;
            }
            if !state.admit(frame, self.shared.limit) {
                drop(state);
                return self.overflow();
            }
        }
        self.filled(state, haste);
    }

    /// Queues a frame of the connection's own driver, which flushes soon: as many as it likes, and without the flusher.
    pub fn put(&self, frame: Encoded) {
        let mut state = self.shared.lock();
        if !state.closed {
            state.append(frame);
        }
    }

    /// Writes as much as the outlet takes.
    pub fn flush(&self) -> Flushed {
        let mut state = self.shared.lock();
        let flushed = state.flush();
        match flushed {
            Flushed::All => self.shared.emptied(state),
            Flushed::Stalled | Flushed::Broken => {
                drop(state);
                self.shared.driver.wake();
            }
        }
        flushed
    }

    /// Has it fetched from memory, for whoever is about to work on many: queues lie far apart, and one after the other each
    /// would be waited for.
    pub fn prefetch(&self) {
        black_box((Arc::strong_count(&self.shared), self.shared.state.is_poisoned()));
    }

    /// What waits, in bytes.
    pub fn bytes(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Marks the connection as too slow.
    pub fn overflow(&self) {
        self.shared.lock().overflowed = true;
        self.shared.driver.wake();
    }

    /// Queues a stored frame, and waits while the queue is more than half full, so that room stays for live ones.
    /// Does nothing once the connection is gone.
    pub async fn push_when_there_is_room(&self, frame: &Encoded) {
        loop {
            let emptied = self.shared.emptied.notified();
            if self.push_if_there_is_room(frame) {
                return;
            }
            emptied.await;
        }
    }

    /// `false`: try again when the queue has been emptied.
    fn push_if_there_is_room(&self, frame: &Encoded) -> bool {
        let mut state = self.shared.lock();
        if state.overflowed || state.closed {
            return true;
        }
        let has_room = state.bytes <= self.shared.limit / 2;
        if has_room {
            state.append(frame.clone());
            self.filled(state, Haste::Prompt);
        } else {
            state.awaited = true;
        }
        has_room
    }

    /// Sees to it that what was queued is written.
    fn filled(&self, mut state: MutexGuard<'_, State>, haste: Haste) {
        match &mut state.outlet {
            Some(outlet) => outlet.ask(self, haste),
            None => {
                drop(state);
                self.shared.driver.wake();
            }
        }
    }
}

impl SendQueueReader {
    /// Lets the frames leave by themselves from now on.
    pub fn attach(&self, outlet: Outlet) {
        self.shared.lock().outlet = Some(outlet);
    }

    /// Waits for something to do. Nothing is lost if the future is dropped.
    pub async fn due(&self) -> Due {
        poll_fn(|context| {
            self.shared.driver.register(context.waker());
            self.due_now().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn due_now(&self) -> Option<Due> {
        let is_stalled = self.shared.lock().outlet.as_ref().map(Outlet::is_stalled);
        match is_stalled {
            Some(is_stalled) => is_stalled.then_some(Due::Stalled),
            None => Some(self.take_now()).filter(|frames| !frames.is_empty()).map(Due::Frames),
        }
    }

    /// Takes what is there.
    pub fn take_now(&self) -> Vec<Encoded> {
        let mut state = self.shared.lock();
        if state.frames.is_empty() {
            return Vec::new();
        }
        state.bytes = 0;
        let frames = std::mem::take(&mut state.frames);
        self.shared.emptied(state);
        frames.into_vec()
    }

    /// Ephemeral frames that were dropped since the last time.
    pub fn dropped(&self) -> u64 {
        std::mem::take(&mut self.shared.lock().dropped)
    }

    /// Ends when the queue has overflowed.
    pub async fn overflowed(&self) {
        poll_fn(|context| {
            self.shared.driver.register(context.waker());
            if self.shared.lock().overflowed { Poll::Ready(()) } else { Poll::Pending }
        })
        .await
    }
}

impl Drop for SendQueueReader {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        (state.frames, state.outlet) = (SmallVec::new(), None);
        self.shared.emptied(state);
    }
}

impl Shared {
    /// Nothing waits any more.
    fn emptied(&self, mut state: MutexGuard<'_, State>) {
        let is_awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if is_awaited {
            self.emptied.notify_waiters();
        }
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `false`: there is no room for a frame that cannot be left out.
    fn admit(&mut self, frame: &Encoded, limit: usize) -> bool {
        let cost = cost(frame);
        if frame.class() == Class::Ephemeral {
            if self.bytes + cost > limit / 2 {
                self.dropped += 1;
            } else {
                self.append(frame.clone());
            }
            return true;
        }
        if self.bytes + cost > limit {
            self.drop_ephemeral();
        }
        let has_room = self.bytes + cost <= limit;
        if has_room {
            self.append(frame.clone());
        }
        has_room
    }

    fn append(&mut self, frame: Encoded) {
        self.bytes += cost(&frame);
        self.frames.push(frame);
    }

    /// What has begun to be written must go on.
    fn drop_ephemeral(&mut self) {
        let before = self.frames.len();
        let mut begun = self.begun > 0;
        self.frames.retain(|frame| std::mem::take(&mut begun) || frame.class() != Class::Ephemeral);
        self.dropped += (before - self.frames.len()) as u64;
        self.bytes = self.frames.iter().map(cost).sum();
    }

    fn flush(&mut self) -> Flushed {
        let Some(outlet) = &mut self.outlet else { return Flushed::Broken };
        let (written, flushed) = outlet.write(&self.frames, self.begun);
        self.written(written);
        flushed
    }

    /// Takes out what is written.
    fn written(&mut self, bytes: usize) {
        let (mut whole, mut left) = (0, self.begun + bytes);
        while let Some(length) = self.frames.get(whole).map(|frame| frame.bytes().len())
            && left >= length
        {
            left -= length;
            whole += 1;
        }
        self.begun = left;
        self.bytes -= self.frames.drain(..whole).map(|frame| cost(&frame)).sum::<usize>();
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            self.frames = SmallVec::new();
        }
    }
}

fn cost(frame: &Encoded) -> usize {
    frame.len() + FRAME_OVERHEAD
}

#[cfg(test)]
mod tests;

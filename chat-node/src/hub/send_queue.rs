//! What waits to be written to one connection: bounded in bytes. Ephemeral frames give way first; when that is not
//! enough the connection is too slow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::protocol::codec::{Class, Encoded};

/// Room that a waiting frame takes beside its text, in bytes.
const FRAME_OVERHEAD: usize = 32;

/// The end that the hub puts frames into. Clones feed the same queue.
#[derive(Clone, Debug)]
pub struct SendQueue {
    shared: Arc<Shared>,
}

/// The end that the connection's driver writes from.
#[derive(Debug)]
pub struct SendQueueReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<State>,
    filled: Notify,
    emptied: Notify,
    overflowed: Notify,
}

#[derive(Debug, Default)]
struct State {
    frames: Vec<Encoded>,
    bytes: usize,
    dropped: u64,
    overflowed: bool,
    closed: bool,
}

/// What a queue held.
#[derive(Debug, Default)]
pub struct Taken {
    /// The frames, in order.
    pub frames: Vec<Encoded>,
    /// Ephemeral frames that were dropped since the last time.
    pub dropped: u64,
}

/// A queue for at most `limit` bytes.
pub fn send_queue(limit: usize) -> (SendQueue, SendQueueReader) {
    let shared = Arc::new(Shared {
        limit,
        state: Mutex::default(),
        filled: Notify::new(),
        emptied: Notify::new(),
        overflowed: Notify::new(),
    });
    (SendQueue { shared: Arc::clone(&shared) }, SendQueueReader { shared })
}

impl SendQueue {
    /// Queues a live frame. Ephemeral ones may take half of the queue, and are dropped for the others when there is
    /// no room. If that is not enough the connection is marked as too slow and takes nothing more: a client that
    /// missed an event must come back with its cursors.
    pub fn push(&self, frame: &Encoded) {
        let mut state = self.shared.lock();
        if state.overflowed || state.closed {
            return;
        }
        let cost = cost(frame);
        if frame.class() == Class::Ephemeral {
            if state.bytes + cost > self.shared.limit / 2 {
                state.dropped += 1;
            } else {
                self.shared.append(state, frame);
            }
            return;
        }
        if state.bytes + cost > self.shared.limit {
            state.drop_ephemeral();
        }
        if state.bytes + cost > self.shared.limit {
            drop(state);
            return self.overflow();
        }
        self.shared.append(state, frame);
    }

    /// What waits, in bytes.
    pub fn bytes(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Marks the connection as too slow.
    pub fn overflow(&self) {
        self.shared.lock().overflowed = true;
        self.shared.overflowed.notify_one();
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
        let state = self.shared.lock();
        if state.overflowed || state.closed {
            return true;
        }
        let has_room = state.bytes <= self.shared.limit / 2;
        if has_room {
            self.shared.append(state, frame);
        }
        has_room
    }
}

impl SendQueueReader {
    /// Waits for frames and takes them all, in order. Nothing is lost if the future is dropped.
    pub async fn take(&self) -> Taken {
        loop {
            let filled = self.shared.filled.notified();
            let taken = self.take_now();
            if !taken.frames.is_empty() {
                return taken;
            }
            filled.await;
        }
    }

    /// Takes what is there.
    pub fn take_now(&self) -> Taken {
        let mut state = self.shared.lock();
        if state.frames.is_empty() {
            return Taken::default();
        }
        state.bytes = 0;
        let (frames, dropped) = (std::mem::take(&mut state.frames), std::mem::take(&mut state.dropped));
        drop(state);
        self.shared.emptied.notify_waiters();
        Taken { frames, dropped }
    }

    /// Ends when the queue has overflowed.
    pub async fn overflowed(&self) {
        loop {
            let overflowed = self.shared.overflowed.notified();
            if self.shared.lock().overflowed {
                return;
            }
            overflowed.await;
        }
    }
}

impl Drop for SendQueueReader {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.frames = Vec::new();
        drop(state);
        self.shared.emptied.notify_waiters();
    }
}

impl Shared {
    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, mut state: MutexGuard<'_, State>, frame: &Encoded) {
        state.bytes += cost(frame);
        state.frames.push(frame.clone());
        drop(state);
        self.filled.notify_one();
    }
}

impl State {
    fn drop_ephemeral(&mut self) {
        let before = self.frames.len();
        self.frames.retain(|frame| frame.class() != Class::Ephemeral);
        self.dropped += (before - self.frames.len()) as u64;
        self.bytes = self.frames.iter().map(cost).sum();
    }
}

fn cost(frame: &Encoded) -> usize {
    frame.len() + FRAME_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ChannelId;
    use crate::protocol::codec::encode;
    use crate::protocol::frame::{Event, ServerFrame};
    use std::time::Duration;

    fn frame() -> Encoded {
        encode(&ServerFrame::HeartbeatAck { heads: &std::collections::BTreeMap::new() })
    }

    #[tokio::test]
    async fn frames_come_out_in_order_and_together() {
        let (queue, reader) = send_queue(10_000);
        let frames: Vec<_> =
            [1, 2, 3].map(|delay_ms| encode(&ServerFrame::Reconnect { delay_ms })).into_iter().collect();
        for frame in &frames {
            queue.push(frame);
        }
        assert_eq!(reader.take().await.frames, frames);
    }

    #[tokio::test]
    async fn a_full_queue_says_so_and_takes_nothing_more() {
        let (queue, reader) = send_queue(200);
        for _ in 0..10 {
            queue.push(&frame());
        }
        reader.overflowed().await;
        let before = reader.take().await.frames.len();
        assert!((1..10).contains(&before));
        queue.push(&frame());
        assert!(reader.take_now().frames.is_empty());
    }

    #[tokio::test]
    async fn ephemeral_frames_give_way_before_the_connection_is_too_slow() {
        let ada = "ada".parse().unwrap();
        let typing = encode(&ServerFrame::Event(Event::Typing { channel_id: ChannelId(9), user_id: &ada }));
        let (queue, reader) = send_queue(8 * (typing.len() + FRAME_OVERHEAD));
        for _ in 0..10 {
            queue.push(&typing);
        }
        let mut durable = 0;
        while !queue.shared.lock().overflowed {
            queue.push(&frame());
            durable += 1;
        }
        let taken = reader.take().await;
        // Half of the queue was theirs, and even that they lost.
        assert_eq!(taken.dropped, 10);
        assert_eq!(taken.frames, vec![frame(); durable - 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn stored_frames_wait_for_room_instead_of_overflowing() {
        let (queue, reader) = send_queue(200);
        let replay = tokio::spawn(async move {
            for _ in 0..50 {
                queue.push_when_there_is_room(&frame()).await;
            }
        });
        let mut taken = 0;
        while taken < 50 {
            taken += reader.take().await.frames.len();
        }
        replay.await.unwrap();
        let slow = tokio::time::timeout(Duration::from_secs(1), reader.overflowed()).await;
        assert!(slow.is_err(), "the queue overflowed");
    }

    #[tokio::test]
    async fn waiting_for_room_ends_with_the_connection() {
        let (queue, reader) = send_queue(100);
        let replay = tokio::spawn(async move {
            for _ in 0..50 {
                queue.push_when_there_is_room(&frame()).await;
            }
        });
        tokio::task::yield_now().await;
        drop(reader);
        replay.await.unwrap();
    }
}

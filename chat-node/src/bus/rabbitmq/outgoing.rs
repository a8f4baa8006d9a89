//! What waits to be published, bounded in number and in bytes until the broker has confirmed it.

use std::sync::Arc;

use bytes::Bytes;
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::epochs::Underway;
use crate::bus::routing::Route;

/// Publishes that may wait for the connection to take them.
const COUNT_MAX: usize = 8_192;
/// Bytes that may wait for the broker's confirm.
const BYTES_MAX: u32 = 32 * 1024 * 1024;
/// What one publish takes beside its payload, about.
const OVERHEAD: usize = 256;

/// One publish on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub route: Route,
    pub payload: Bytes,
    /// What it takes up until it is confirmed or given up.
    pub held: Held,
}

/// Room in the queue, and the epoch that it goes to.
#[derive(Debug)]
pub(super) struct Held {
    bytes: OwnedSemaphorePermit,
    gauge: IntGauge,
    _underway: Option<Underway>,
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Where publishes go in.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    queue: mpsc::Sender<Outgoing>,
    room: Arc<Semaphore>,
    gauge: IntGauge,
}

/// A queue, and where its publishes come out; `gauge` shows the bytes in it.
pub(super) fn queue(gauge: IntGauge) -> (Sender, mpsc::Receiver<Outgoing>) {
    let (queue, receiver) = mpsc::channel(COUNT_MAX);
    (Sender { queue, room: Arc::new(Semaphore::new(BYTES_MAX as usize)), gauge }, receiver)
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.sub(i64::try_from(self.bytes.num_permits()).unwrap_or(0));
    }
}

impl Sender {
    /// Puts a publish into the queue. What is not to be counted as on its way to an epoch has no `underway`.
    pub fn offer(&self, route: Route, payload: Bytes, underway: Option<Underway>) -> Result<(), Full> {
        let size = u32::try_from(payload.len() + OVERHEAD).map_err(|_| Full)?;
        let bytes = Arc::clone(&self.room).try_acquire_many_owned(size).map_err(|_| Full)?;
        self.gauge.add(size.into());
        let held = Held { bytes, gauge: self.gauge.clone(), _underway: underway };
        self.queue.try_send(Outgoing { route, payload, held }).map_err(|_| Full)
    }

    /// Waits until everything is confirmed or given up.
    pub async fn drained(&self) {
        // The semaphore is never closed.
        let _ = self.room.acquire_many(BYTES_MAX).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_payloads_fill_the_queue_before_their_number_does() {
        let (sender, mut receiver) = queue(IntGauge::new("bytes", "bytes").unwrap());
        let payload = Bytes::from(vec![0; 1024 * 1024]);
        let offer = || sender.offer(Route::CONTROL, payload.clone(), None);
        let taken = (0..COUNT_MAX).take_while(|_| offer().is_ok()).count();
        assert_eq!(taken, 31);
        assert_eq!(offer(), Err(Full));
        // What has been taken out still counts; what is confirmed does not.
        let first = receiver.recv().await.unwrap();
        assert_eq!(offer(), Err(Full));
        drop(first);
        assert_eq!(offer(), Ok(()));
    }

    #[tokio::test]
    async fn a_queue_is_drained_when_the_last_publish_is_given_up() {
        let gauge = IntGauge::new("bytes", "bytes").unwrap();
        let (sender, mut receiver) = queue(gauge.clone());
        sender.offer(Route::CONTROL, Bytes::from_static(b"{}"), None).unwrap();
        assert_eq!(gauge.get(), 258);
        let last = receiver.recv().await.unwrap();
        let drained = tokio::spawn({
            let sender = sender.clone();
            async move { sender.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!drained.is_finished());
        drop(last);
        drained.await.unwrap();
        assert_eq!(gauge.get(), 0);
    }
}

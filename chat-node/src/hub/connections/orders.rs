//! What the node tells one connection: few, seldom, bounded, and nothing but two words while there are none.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::task::AtomicWaker;

use super::Order;

/// Orders that may wait for one connection: the channels of some groups that a user joins or leaves at once.
pub(super) const ORDERS_MAX: usize = 256;

/// The node's end.
#[derive(Debug)]
pub(super) struct OrderSender(Arc<Shared>);

/// The connection's end.
#[derive(Debug)]
pub struct OrderReceiver(Arc<Shared>);

/// As many wait as there may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: AtomicWaker,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Order>,
    ended: bool,
}

/// Two ends without an order between them.
pub(super) fn orders() -> (OrderSender, OrderReceiver) {
    let shared = Arc::new(Shared::default());
    (OrderSender(Arc::clone(&shared)), OrderReceiver(shared))
}

impl OrderSender {
    /// # Errors
    /// [`Full`]; the order is not given then.
    pub fn send(&self, order: Order) -> Result<(), Full> {
        let mut state = self.0.state();
        if state.waiting.len() >= ORDERS_MAX {
            return Err(Full);
        }
        state.waiting.push_back(order);
        drop(state);
        self.0.changed.wake();
        Ok(())
    }
}

impl Drop for OrderSender {
    fn drop(&mut self) {
        self.0.state().ended = true;
        self.0.changed.wake();
    }
}

impl OrderReceiver {
    /// Waits for the next one; `None`: the node has forgotten the connection. Nothing is lost if the future is dropped.
    pub async fn recv(&self) -> Option<Order> {
        poll_fn(|context| {
            self.0.changed.register(context.waker());
            match self.try_recv() {
                Some(order) => Poll::Ready(Some(order)),
                None if self.0.state().ended => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The next one, if it is there.
    pub fn try_recv(&self) -> Option<Order> {
        let mut state = self.0.state();
        let order = state.waiting.pop_front();
        if state.waiting.is_empty() {
            state.waiting = VecDeque::new();
        }
        order
    }
}

impl Shared {
    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn order(seconds: u64) -> Order {
        Order::Reconnect(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn orders_come_in_order_until_the_connection_is_forgotten() {
        let (sender, receiver) = orders();
        let giving = tokio::spawn(async move {
            for seconds in 0..10 {
                sender.send(order(seconds)).unwrap();
                tokio::task::yield_now().await;
            }
        });
        for seconds in 0..10 {
            assert_eq!(receiver.recv().await, Some(order(seconds)));
        }
        assert_eq!(receiver.recv().await, None);
        giving.await.unwrap();
    }

    #[test]
    fn no_more_wait_than_may() {
        let (sender, receiver) = orders();
        for seconds in 0..ORDERS_MAX as u64 {
            sender.send(order(seconds)).unwrap();
        }
        assert_eq!(sender.send(order(0)), Err(Full));
        assert_eq!(receiver.try_recv(), Some(order(0)));
        assert_eq!(sender.send(order(0)), Ok(()));
    }
}

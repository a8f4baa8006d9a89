//! How a node goes: not ready, while new clients are still let in; then clients are moved away, spread over a window;
//! then the end, at a deadline at the latest.

use std::sync::Arc;
use std::time::Duration;

use crds::node::NodeState;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::status::Status;
use crate::hub::Hub;

/// How long load balancers may take to notice that the node is not ready.
const NOTICE: Duration = Duration::from_secs(5);
/// How long after the window the last clients may stay.
const LINGER: Duration = Duration::from_secs(4);

/// How long each step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// New clients are still let in.
    pub notice: Duration,
    /// Clients are told to go, spread over this time.
    pub window: Duration,
    /// The last ones may stay this much longer.
    pub linger: Duration,
}

impl Plan {
    /// Of a node behind a load balancer.
    pub fn behind_a_load_balancer(window: Duration) -> Self {
        Self { notice: NOTICE, window, linger: LINGER }
    }

    /// Of a node that clients reach directly.
    pub fn alone() -> Self {
        Self { notice: Duration::ZERO, window: Duration::from_secs(1), linger: Duration::from_secs(3) }
    }

    /// When each of `count` clients shall go, from the moment at which they are told: evenly spread over the window.
    /// `jitter` (0.0 to 1.0) says where in its share of the window each one is.
    pub fn delays(&self, count: usize, mut jitter: impl FnMut() -> f64) -> Vec<Duration> {
        let share = self.window.div_f64(count.max(1) as f64);
        (0..count).map(|nth| share.mul_f64(nth as f64 + jitter().clamp(0.0, 1.0))).collect()
    }
}

/// What has to be drained.
#[derive(Debug)]
pub struct Drain {
    /// Where it is said that the node is going.
    pub status: Arc<Status>,
    /// The connections.
    pub hub: Arc<Hub>,
    /// Every connection's task.
    pub tracker: TaskTracker,
    /// Says that no new connections are let in.
    pub closing: CancellationToken,
}

impl Drain {
    /// Drains; ends when no client is left, or at the deadline. Gives how many clients are left.
    pub async fn run(self, plan: Plan) -> usize {
        self.status.set_state(NodeState::Draining);
        tracing::info!(clients = self.hub.connections.count(), ?plan, "draining");
        tokio::time::sleep(plan.notice).await;
        self.closing.cancel();
        let connections = self.hub.connections.ids();
        let delays = plan.delays(connections.len(), fastrand::f64);
        for (connection, delay) in connections.into_iter().zip(delays) {
            self.hub.connections.reconnect(connection, delay);
        }
        self.tracker.close();
        // Who is left is counted below.
        let _ = tokio::time::timeout(plan.window + plan.linger, self.tracker.wait()).await;
        self.hub.connections.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clients_leave_one_after_another_within_the_window(count in 0_usize..500, seed in any::<u64>()) {
            let plan = Plan::behind_a_load_balancer(Duration::from_secs(20));
            let mut random = fastrand::Rng::with_seed(seed);
            let delays = plan.delays(count, || random.f64());
            prop_assert_eq!(delays.len(), count);
            prop_assert!(delays.is_sorted());
            prop_assert!(delays.iter().all(|delay| *delay <= plan.window));
            // No part of the window is left out.
            if let Some(last) = delays.last() {
                let share = plan.window.div_f64(count as f64);
                prop_assert!(*last + share + Duration::from_micros(1) >= plan.window);
            }
        }
    }
}

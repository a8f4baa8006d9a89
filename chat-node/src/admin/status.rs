//! What the node knows of itself.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crds::NodeReport;
use crds::node::{Dependency, NodeState};
use tokio_util::sync::CancellationToken;

use crate::bus::Bus;
use crate::hub::Hub;
use crate::ids::lease::Ids;
use crate::ids::skew::StoreTime;
use crate::metrics::Metrics;

/// The node's state, from its first moment on.
#[derive(Debug)]
pub struct Status {
    node: String,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    parts: OnceLock<Parts>,
    drain: CancellationToken,
}

#[derive(Debug)]
struct State {
    node: NodeState,
    waiting: Option<String>,
    store: Dependency,
}

/// The parts that are asked, once they are there.
#[derive(Debug)]
pub struct Parts {
    /// The lease.
    pub ids: Ids,
    /// The connections.
    pub hub: Arc<Hub>,
    /// The broker.
    pub bus: Arc<dyn Bus>,
}

impl Status {
    /// A node that is starting.
    pub fn new(node: String, metrics: Arc<Metrics>) -> Self {
        let store = Dependency::Unreachable { reason: "it has not been asked yet".to_owned() };
        let state = Mutex::new(State { node: NodeState::Starting, waiting: None, store });
        Self { node, metrics, state, parts: OnceLock::new(), drain: CancellationToken::new() }
    }

    /// Says what to ask from now on; only the first call counts.
    pub fn set_parts(&self, parts: Parts) {
        let _ = self.parts.set(parts);
    }

    /// Says what the node is doing.
    pub fn set_state(&self, state: NodeState) {
        self.state().node = state;
    }

    /// Says what else than the store the start waits for.
    pub fn set_waiting(&self, waiting: Option<String>) {
        self.state().waiting = waiting;
    }

    /// Orders the node to drain.
    pub fn order_drain(&self) {
        self.drain.cancel();
    }

    /// Waits for [`Status::order_drain`].
    pub async fn drain_ordered(&self) {
        self.drain.cancelled().await;
    }

    /// Says whether the store answered.
    pub fn set_store(&self, store: Dependency) {
        let mut state = self.state();
        if state.store != store {
            tracing::info!(?store, "the store's answer changed");
            state.store = store;
        }
    }

    /// The way to the other nodes, once it is there.
    pub fn bus(&self) -> Option<&Arc<dyn Bus>> {
        self.parts.get().map(|parts| &parts.bus)
    }

    /// Why users should not be sent here; `None`: they should. A broker that is away is no reason: messages then
    /// take a little longer.
    pub fn not_ready(&self) -> Option<String> {
        let state = self.state().node;
        match state {
            NodeState::Starting => return Some(self.starting()),
            NodeState::Draining => return Some("the node is going away".to_owned()),
            NodeState::Ready => {}
        }
        let parts = self.parts.get()?;
        if parts.ids.server_id().is_none() {
            return Some("no server id is leased".to_owned());
        }
        if parts.ids.store_time().is_some_and(|time| !time.is_tolerable()) {
            return Some(format!(
                "the clock is off by {} ms; at most {} are tolerated",
                self.skew_ms(),
                StoreTime::TOLERATED_SKEW_MS
            ));
        }
        match &self.state().store {
            Dependency::Reachable => None,
            Dependency::Unreachable { reason } => Some(reason.clone()),
        }
    }

    /// The metrics as text.
    ///
    /// # Errors
    /// A metric cannot be written as text.
    pub fn metrics(&self) -> prometheus::Result<String> {
        if let Some(parts) = self.parts.get() {
            self.metrics.server_id.set(parts.ids.server_id().map_or(-1, |id| i64::from(id.get())));
            let queued = i64::try_from(parts.hub.connections.queued_bytes()).unwrap_or(i64::MAX);
            self.metrics.send_queue_bytes.set(queued);
            self.metrics.broker_reachable.set((parts.bus.health() == Dependency::Reachable).into());
        }
        self.metrics.store_reachable.set((self.state().store == Dependency::Reachable).into());
        self.metrics.clock_skew_seconds.set(self.skew_ms() as f64 / 1_000.0);
        self.metrics.render()
    }

    /// The report for the operator.
    pub fn report(&self) -> NodeReport {
        let parts = self.parts.get();
        let not_asked = || Dependency::Unreachable { reason: "it has not been asked yet".to_owned() };
        let state = self.state();
        NodeReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.node.clone(),
            server_id: parts.and_then(|parts| parts.ids.server_id()).map(crate::ids::ServerId::get),
            state: state.node,
            connections: parts
                .map_or(0, |parts| u32::try_from(parts.hub.connections.count()).unwrap_or(u32::MAX)),
            epochs: parts.map(|parts| parts.bus.epochs()).unwrap_or_default(),
            publishing: parts.and_then(|parts| parts.bus.publishing()),
            store: state.store.clone(),
            broker: parts.map_or_else(not_asked, |parts| parts.bus.health()),
            clock_skew_ms: self.skew_ms(),
        }
    }

    fn starting(&self) -> String {
        let state = self.state();
        match (&state.store, &state.waiting) {
            (Dependency::Unreachable { reason }, _) => format!("the node is starting; the store: {reason}"),
            (Dependency::Reachable, Some(reason)) => format!("the node is starting; {reason}"),
            (Dependency::Reachable, None) => "the node is starting".to_owned(),
        }
    }

    fn skew_ms(&self) -> i64 {
        self.parts.get().and_then(|parts| parts.ids.store_time()).map_or(0, |time| time.skew_ms())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

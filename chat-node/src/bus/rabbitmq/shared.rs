//! What the parts of a bus share, whichever connection there is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::node::Dependency;
use crds::topology::TopologyFault;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::epochs::Epochs;
use crate::bus::wanted::Wanted;
use crate::metrics::{Metrics, PublishFailure};

/// How long the node polls the store after there was a sign that a message was missed.
const DOUBT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Shared {
    pub settings: Settings,
    pub metrics: Arc<Metrics>,
    /// What is wanted or ordered has changed.
    pub changed: Notify,
    /// The node is going.
    pub leaving: CancellationToken,
    /// It has gone.
    pub left: CancellationToken,
    epochs: Mutex<Epochs>,
    wanted: Mutex<Wanted>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// There is no connection.
    Away { reason: String },
    /// There is one, but the broker takes no publishes.
    Blocked { queue: String, reason: String },
    /// Everything works, but that something may have been missed.
    Connected { queue: String, doubt: Option<(Instant, &'static str)> },
}

impl Shared {
    pub fn new(settings: Settings, metrics: Arc<Metrics>) -> Result<Self, TopologyFault> {
        Ok(Self {
            epochs: Mutex::new(Epochs::new(settings.topology.clone())?),
            settings,
            metrics,
            changed: Notify::new(),
            leaving: CancellationToken::new(),
            left: CancellationToken::new(),
            wanted: Mutex::default(),
            state: Mutex::new(State::Away { reason: "the first connection is being made".to_owned() }),
        })
    }

    /// The connection has ended.
    pub fn away(&self, reason: &str) {
        self.epochs().disconnect();
        let mut state = self.state();
        let known = matches!(&*state, State::Away { reason: known } if known == reason);
        if !known && !self.leaving.is_cancelled() {
            tracing::warn!(reason, "the broker is away; the store is polled instead");
        }
        *state = State::Away { reason: reason.to_owned() };
    }

    pub fn connected(&self, queue: &str) {
        *self.state() = State::Connected { queue: queue.to_owned(), doubt: None };
    }

    /// The broker takes no publishes for now.
    pub fn blocked(&self, queue: &str, reason: &str) {
        tracing::warn!(reason, "the broker takes no publishes; the store is polled as well");
        *self.state() = State::Blocked { queue: queue.to_owned(), reason: reason.to_owned() };
    }

    /// The broker says that a queue has missed something.
    pub fn nacked(&self) {
        self.metrics.publish_failed(PublishFailure::Nack, 1);
        self.doubt("the broker says that a queue missed a message");
    }

    /// Something may have been missed.
    pub fn doubt(&self, why: &'static str) {
        if let State::Connected { doubt, .. } = &mut *self.state() {
            *doubt = Some((Instant::now(), why));
        }
    }

    pub fn health(&self) -> Dependency {
        let unreachable = |reason: String| Dependency::Unreachable { reason };
        match &*self.state() {
            State::Away { reason } => return unreachable(reason.clone()),
            State::Blocked { reason, .. } => {
                return unreachable(format!("the broker takes no publishes: {reason}"));
            }
            State::Connected { doubt: Some((at, why)), .. } if at.elapsed() < DOUBT => {
                return unreachable((*why).to_owned());
            }
            State::Connected { .. } => {}
        }
        self.epochs().lacking().map_or(Dependency::Reachable, unreachable)
    }

    /// The queue of the connection that there is.
    pub fn queue(&self) -> Option<String> {
        match &*self.state() {
            State::Away { .. } => None,
            State::Blocked { queue, .. } | State::Connected { queue, .. } => Some(queue.clone()),
        }
    }

    /// Whether publishes are taken at the moment.
    pub fn is_publishing(&self) -> bool {
        matches!(*self.state(), State::Connected { .. })
    }

    pub fn is_blocked(&self) -> bool {
        matches!(*self.state(), State::Blocked { .. })
    }

    pub fn epochs(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

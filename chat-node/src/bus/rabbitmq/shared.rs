//! What the parts of a bus share, whichever connection there is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::node::Dependency;
use crds::topology::TopologyFault;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::epochs::Epochs;
use crate::bus::Standing;
use crate::bus::wanted::Wanted;
use crate::metrics::{Metrics, PublishFailure};

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
    standing: Mutex<Standing>,
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
            standing: Mutex::new(Standing::Away { reason: "the first connection is being made".to_owned() }),
        })
    }

    /// The connection has ended.
    pub fn away(&self, reason: &str) {
        self.epochs().disconnect();
        let mut standing = self.standing();
        let known = matches!(&*standing, Standing::Away { reason: known } if known == reason);
        if !known && !self.leaving.is_cancelled() {
            tracing::warn!(reason, "the broker is away; the store is polled instead");
        }
        *standing = Standing::Away { reason: reason.to_owned() };
    }

    pub fn connected(&self, queue: &str) {
        *self.standing() = Standing::connected(queue);
    }

    /// The broker takes no publishes for now.
    pub fn blocked(&self, queue: &str, reason: &str) {
        tracing::warn!(reason, "the broker takes no publishes; the store is polled as well");
        *self.standing() = Standing::Blocked { queue: queue.to_owned(), reason: reason.to_owned() };
    }

    /// The broker says that a queue has missed something.
    pub fn nacked(&self) {
        self.metrics.publish_failed(PublishFailure::Nack, 1);
        self.doubt("the broker says that a queue missed a message");
    }

    /// Something may have been missed.
    pub fn doubt(&self, why: &'static str) {
        self.standing().doubt(why);
    }

    pub fn health(&self) -> Dependency {
        let health = self.standing().health();
        if health != Dependency::Reachable {
            return health;
        }
        self.epochs().lacking().map_or(health, |reason| Dependency::Unreachable { reason })
    }

    /// The queue of the connection that there is.
    pub fn queue(&self) -> Option<String> {
        self.standing().queue().map(str::to_owned)
    }

    /// Whether publishes are taken at the moment.
    pub fn is_publishing(&self) -> bool {
        matches!(*self.standing(), Standing::Connected { .. })
    }

    pub fn is_blocked(&self) -> bool {
        matches!(*self.standing(), Standing::Blocked { .. })
    }

    pub fn epochs(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Channels as users have them: who may do what, sending, following, history. On this node a channel that somebody
//! follows is a room of the hub; behind it stands its log in the store.

pub mod acquaintance;
pub mod change;
mod check;
pub mod compare;
pub mod direct;
pub mod fetch;
pub mod fill;
mod fold;
pub mod follow;
pub mod groups;
pub mod history;
mod introduce;
pub mod list;
mod listening;
pub mod log;
mod open;
pub mod permit;
mod publish;
pub mod reads;
pub mod receive;
pub mod retention;
pub mod send;
mod shown;
pub mod slow_mode;
pub mod typing;
pub mod view;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::Posting;

use self::slow_mode::SlowMode;
use self::view::{Lookups, Views};
use crate::bus::Bus;
use crate::error::{ErrorCode, Problem};
use crate::hub::Hub;
use crate::ids::ChannelId;
use crate::ids::lease::Ids;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// All channels, seen from this node.
#[derive(Debug)]
pub struct Channels {
    store: Arc<dyn Store>,
    log: log::Log,
    ids: Ids,
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
    metrics: Arc<Metrics>,
    views: Views,
    slow_mode: Mutex<SlowMode>,
    newcomers: listening::Newcomers,
    repaired: fold::Repaired,
    fills: Arc<tokio::sync::Semaphore>,
    /// Direct channels that are about to be introduced.
    introducing: Mutex<BTreeSet<ChannelId>>,
}

/// What channels stand on.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// Where ids come from.
    pub ids: Ids,
    /// Who hears what.
    pub hub: Arc<Hub>,
    /// The way to the other nodes.
    pub bus: Arc<dyn Bus>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who may write in the official channel.
    pub posting: Posting,
}

impl Channels {
    /// Channels on this foundation.
    pub fn new(foundation: Foundation) -> Arc<Self> {
        let Foundation { store, ids, hub, bus, metrics, posting } = foundation;
        let lookups = Lookups { hits: metrics.view_hits.clone(), misses: metrics.view_misses.clone() };
        Arc::new_cyclic(|channels| Self {
            log: log::Log::new(Arc::clone(&store), ids.clone(), publish::Behind(channels.clone())),
            views: Views::new(Arc::clone(&store), lookups, posting),
            slow_mode: Mutex::default(),
            newcomers: listening::Newcomers::default(),
            repaired: fold::Repaired::default(),
            fills: Arc::new(tokio::sync::Semaphore::new(fill::AT_ONCE)),
            introducing: Mutex::default(),
            store,
            ids,
            hub,
            bus,
            metrics,
        })
    }

    fn introducing(&self) -> MutexGuard<'_, BTreeSet<ChannelId>> {
        self.introducing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slow_mode(&self) -> MutexGuard<'_, SlowMode> {
        self.slow_mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client is told of a failed store.
pub fn problem_of(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable(reason) => {
            tracing::warn!(%reason, "the store does not answer");
            // Spread, so that all clients do not come back at once.
            let retry_after = std::time::Duration::from_millis(fastrand::u64(1_000..5_000));
            Problem::retry(ErrorCode::Unavailable, "the store does not answer", retry_after)
        }
        StoreError::Refused(_) | StoreError::Corrupt(_) => {
            tracing::error!(%error, "the store failed");
            Problem::new(ErrorCode::Internal, "the server failed; its log says why")
        }
    }
}

#[cfg(test)]
mod tests;

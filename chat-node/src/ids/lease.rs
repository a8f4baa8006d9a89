//! The lease on a server id, and the ids that it permits. [`tenure`] decides, [`keeper`] asks the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::skew::StoreTime;
use super::snowflake::{Refusal, Snowflakes};
use super::{ChannelId, MessageId, ServerId};
use crate::clock::Clock;
use crate::store::{Reservation, Store};
use tenure::Tenure;

mod keeper;
mod tenure;

/// How long a lease lives without being renewed, by the store's clock.
pub const TTL: Duration = Duration::from_secs(30);

/// How long an append waits for the lease to cover a time that lies ahead.
const COVER_WITHIN: Duration = Duration::from_secs(5);
/// How long a time stays usable after it has passed: longer than any call to the store.
const KEEP_MS: u64 = 15_000;

/// Why there is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The node holds no server id at present.
    #[error("this node holds no server id: the store has not confirmed its lease lately")]
    NoLease,
    /// The reserved times cannot be used (any more): reserve anew.
    #[error("the reserved time gives no id: {0}")]
    Unusable(Refusal),
}

/// A server id that the node may make ids with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The number.
    pub server_id: ServerId,
    /// Ids may have times up to here, in ms since the Unix epoch.
    pub until_ms: u64,
}

/// Makes ids as long as the lease is held. Clones share it.
#[derive(Clone, Debug)]
pub struct Ids(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    held: watch::Sender<Option<Held>>,
    /// Wakes the keeper before its time.
    renew_now: Notify,
    /// Wakes those who wait for a renewal, in the order in which they came.
    renewed: Notify,
}

#[derive(Debug, Default)]
struct State {
    tenure: Option<Tenure>,
    flakes: Option<Snowflakes>,
    store_time: Option<StoreTime>,
    /// The farthest time that somebody waits for.
    wanted_ms: u64,
}

/// Starts the task that leases a server id, renews it every third of [`TTL`], takes another one when it is lost,
/// and gives it back when `stop` is cancelled; await the handle for that. `holder` is the node's name.
pub fn spawn(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    holder: String,
    stop: CancellationToken,
) -> (Ids, JoinHandle<()>) {
    let shared = Shared {
        clock,
        state: Mutex::default(),
        held: watch::Sender::new(None),
        renew_now: Notify::new(),
        renewed: Notify::new(),
    };
    let ids = Ids(Arc::new(shared));
    let keeper = keeper::Keeper::new(store, ids.clone(), holder);
    (ids, tokio::spawn(keeper.run(stop)))
}

impl Ids {
    /// The server id, if it is held at this moment.
    pub fn server_id(&self) -> Option<ServerId> {
        let state = self.state();
        self.may_issue(&state).then(|| state.tenure.as_ref().map(Tenure::server_id)).flatten()
    }

    /// Tells when the server id is held, lost or another one.
    pub fn watch(&self) -> watch::Receiver<Option<Held>> {
        self.0.held.subscribe()
    }

    /// The last comparison of the clocks, if there was one.
    pub fn store_time(&self) -> Option<StoreTime> {
        self.state().store_time
    }

    /// The time to reserve positions with, in ms since the Unix epoch: the store's, whatever this machine says.
    ///
    /// # Errors
    /// [`IdError::NoLease`].
    pub fn now_ms(&self) -> Result<u64, IdError> {
        let mut state = self.state();
        if !self.may_issue(&state) {
            return Err(IdError::NoLease);
        }
        let now = self.0.clock.monotonic();
        let State { flakes: Some(flakes), store_time: Some(store_time), .. } = &mut *state else {
            return Err(IdError::NoLease);
        };
        let now_ms = store_time.now_ms(now);
        flakes.forget_until(now_ms.saturating_sub(KEEP_MS));
        Ok(now_ms.max(flakes.floor_ms() + 1))
    }

    /// An id for a new channel.
    ///
    /// # Errors
    /// [`IdError`].
    pub async fn channel_id(&self) -> Result<ChannelId, IdError> {
        let (first, first_ms, access) = (super::Position(1), self.now_ms()?, super::AccessVersion(0));
        let one = Reservation { first, first_ms, access };
        let ids = self.message_ids(one, 1).await?;
        ids.first().map(|id| ChannelId(id.0)).ok_or(IdError::NoLease)
    }

    /// The ids of `count` reserved positions, in their order. Waits for the lease to cover the times where the
    /// channel was pushed ahead.
    ///
    /// # Errors
    /// [`IdError`]; the positions are still open then.
    pub async fn message_ids(&self, reserved: Reservation, count: u16) -> Result<Vec<MessageId>, IdError> {
        let last_ms = reserved.first_ms + u64::from(count).saturating_sub(1);
        self.cover(last_ms).await?;
        let mut state = self.state();
        if !self.may_issue(&state) {
            return Err(IdError::NoLease);
        }
        let flakes = state.flakes.as_mut().ok_or(IdError::NoLease)?;
        let times = reserved.first_ms..=last_ms;
        times.map(|ms| flakes.take(ms).map(MessageId).map_err(IdError::Unusable)).collect()
    }

    /// Waits until ids may have times up to `ms`.
    async fn cover(&self, ms: u64) -> Result<(), IdError> {
        let covered = || self.0.held.borrow().is_some_and(|held| held.until_ms >= ms);
        if covered() {
            return Ok(());
        }
        {
            let mut state = self.state();
            state.wanted_ms = state.wanted_ms.max(ms);
        }
        self.0.renew_now.notify_one();
        let covering = async {
            loop {
                let renewed = self.0.renewed.notified();
                if covered() {
                    return;
                }
                renewed.await;
            }
        };
        tokio::time::timeout(COVER_WITHIN, covering).await.map_err(|_| IdError::NoLease)
    }

    fn may_issue(&self, state: &State) -> bool {
        state.tenure.as_ref().is_some_and(|tenure| tenure.may_issue(self.0.clock.monotonic()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

//! The task that holds the lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::tenure::{Tenure, to_cover};
use super::{Held, Ids, State, TTL};
use crate::ids::skew::{Asked, StoreTime};
use crate::ids::snowflake::Snowflakes;
use crate::store::{Lease, Store, StoreError};

const TTL_MS: u64 = TTL.as_secs() * 1_000;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

pub(super) struct Keeper {
    store: Arc<dyn Store>,
    ids: Ids,
    holder: String,
}

#[derive(PartialEq)]
enum Renewal {
    Kept,
    Lost,
}

impl Keeper {
    pub fn new(store: Arc<dyn Store>, ids: Ids, holder: String) -> Self {
        Self { store, ids, holder }
    }

    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.hold()).await;
        self.release().await;
    }

    async fn hold(&self) {
        loop {
            let lease = self.acquire().await;
            self.begin(lease);
            while self.renew().await == Renewal::Kept {
                self.rest().await;
            }
            warn!(server_id = %lease.server_id, "the server id was taken by another node; leasing a new one");
            self.end();
        }
    }

    async fn acquire(&self) -> Lease {
        let mut backoff = FIRST_BACKOFF;
        loop {
            match self.store.lease_acquire(&self.holder, TTL_MS).await {
                Ok(lease) => return lease,
                Err(error) => warn!(%error, "no server id yet; trying again in {} ms", backoff.as_millis()),
            }
            sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    fn begin(&self, lease: Lease) {
        let mut state = self.ids.state();
        state.tenure = Some(Tenure::new(lease, self.ids.0.clock.monotonic()));
        state.flakes = Some(Snowflakes::new(lease.server_id, lease.used_until_ms));
    }

    /// One renewal. A failure to reach the store is not a loss: the lease may be confirmed later.
    async fn renew(&self) -> Renewal {
        let asked = self.ids.0.clock.monotonic();
        match self.renew_at_store().await {
            Ok(Some(until_ms)) => self.confirmed(asked, until_ms),
            Ok(None) => return Renewal::Lost,
            Err(error) => self.unconfirmed(&error),
        }
        Renewal::Kept
    }

    /// Compares the clocks, then renews; the time up to which ids are covered, or `None` if the lease is lost.
    async fn renew_at_store(&self) -> Result<Option<u64>, StoreError> {
        let clock = &self.ids.0.clock;
        let from = clock.monotonic();
        let store_ms = self.store.now_ms().await?;
        let until = clock.monotonic();
        let asked = Asked { from, until, wall_ms: clock.wall_ms() };
        let (lease, until_ms) = {
            let mut state = self.ids.state();
            let earlier = state.store_time;
            let time = StoreTime::measured(asked, store_ms, earlier);
            tell(earlier, time);
            state.store_time = Some(time);
            let Some(tenure) = &state.tenure else { return Ok(None) };
            let free_from_ms = time.now_ms(until).max(tenure.lease().used_until_ms);
            (*tenure.lease(), to_cover(free_from_ms, state.wanted_ms))
        };
        let kept = self.store.lease_renew(&lease, TTL_MS, until_ms).await?;
        Ok(kept.then_some(until_ms))
    }

    fn confirmed(&self, asked: Instant, until_ms: u64) {
        let mut state = self.ids.state();
        let State { tenure: Some(tenure), flakes: Some(flakes), .. } = &mut *state else { return };
        tenure.renewed(asked);
        flakes.allow_until(until_ms);
        let held = Held { server_id: tenure.server_id(), until_ms };
        if self.ids.0.held.send_replace(Some(held)).is_none() {
            info!(server_id = %held.server_id, "holding a server id");
        }
        self.ids.0.renewed.notify_waiters();
    }

    fn unconfirmed(&self, error: &StoreError) {
        let now = self.ids.0.clock.monotonic();
        let mut state = self.ids.state();
        let Some(tenure) = &mut state.tenure else { return };
        tenure.failed(now);
        if !tenure.may_issue(now) && self.ids.0.held.send_replace(None).is_some() {
            warn!(%error, "the store has not confirmed the server id in time; no ids until it does");
        }
    }

    /// Until the next renewal is due, or somebody needs one.
    async fn rest(&self) {
        let renew_at = self.ids.state().tenure.as_ref().map(Tenure::renew_at);
        let due = sleep_until(renew_at.unwrap_or_else(Instant::now));
        tokio::select! {
            biased;
            () = self.ids.0.renew_now.notified() => {}
            () = due => {}
        }
    }

    fn end(&self) {
        let mut state = self.ids.state();
        state.tenure = None;
        state.flakes = None;
        self.ids.0.held.send_replace(None);
    }

    async fn release(&self) {
        let held = {
            let state = self.ids.state();
            let State { tenure: Some(tenure), flakes: Some(flakes), .. } = &*state else { return };
            (*tenure.lease(), flakes.used_until_ms())
        };
        self.end();
        if let Err(error) = self.store.lease_release(&held.0, held.1).await {
            warn!(%error, "the server id was not given back; it is free again in {} s", TTL.as_secs());
        }
    }
}

/// Logs when the machine's clock becomes wrong, and when it is right again.
fn tell(earlier: Option<StoreTime>, time: StoreTime) {
    let skew_ms = time.skew_ms();
    match (earlier.is_none_or(|earlier| earlier.is_tolerable()), time.is_tolerable()) {
        (true, false) => {
            warn!(skew_ms, "this machine's clock is too far from the store's: set it; not ready until then")
        }
        (false, true) => info!(skew_ms, "this machine's clock is near the store's again"),
        (true, true) | (false, false) => {}
    }
}

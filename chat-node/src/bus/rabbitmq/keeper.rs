//! Keeps the node's queue bound to what is wanted, in every epoch that was ordered.

use std::time::Duration;

use crds::TopologyPlan;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::connect::Channels;
use super::epochs::bindings;
use super::topology::Binder;
use super::{BrokerError, Shared};
use crate::bus::routing::{self, Exchange, Key, Route};
use crate::bus::{Received, Topic};

/// Between two looks for channels whose lingering has ended.
const SWEEP: Duration = Duration::from_secs(5);

/// Binds one queue.
pub(super) struct Keeper<'a> {
    shared: &'a Shared,
    binder: Binder<'a>,
    own_key: Key,
}

impl<'a> Keeper<'a> {
    /// Binds everything that is wanted.
    pub async fn begin(
        shared: &'a Shared,
        channels: &'a Channels,
        queue: &'a str,
    ) -> Result<Self, BrokerError> {
        let binder = Binder { channels: &channels.bind, cluster: &shared.settings.cluster, queue };
        let keeper = Self { shared, binder, own_key: Key::Queue(queue.into()) };
        keeper.binder.check(vec![Exchange::Control]).await?;
        keeper.binder.bind(vec![Route { exchange: Exchange::Control, key: keeper.own_key.clone() }]).await?;
        // What changes from here on is looked at again.
        shared.wanted().take_changed();
        keeper.converge().await?;
        Ok(keeper)
    }

    /// Follows the changes until something goes wrong, and says what.
    pub async fn run(self, received: &mpsc::Sender<Received>) -> BrokerError {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shared.changed.notified() => {}
                _ = sweep.tick() => if !self.shared.wanted().expire(Instant::now()) { continue },
                () = self.shared.leaving.cancelled() => return self.leave().await,
            }
            if let Err(error) = self.follow(received).await {
                return error;
            }
        }
    }

    async fn follow(&self, received: &mpsc::Sender<Received>) -> Result<(), BrokerError> {
        self.converge().await?;
        let changed = self.shared.wanted().take_changed();
        let (wanted, unwanted): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(_, wanted)| *wanted);
        let topics = |changed: Vec<(Topic, bool)>| changed.into_iter().map(|(topic, _)| topic).collect();
        let (wanted, unwanted): (Vec<Topic>, Vec<Topic>) = (topics(wanted), topics(unwanted));
        self.binder.bind(self.routes(&wanted)).await?;
        self.binder.unbind(self.routes(&unwanted)).await?;
        if !wanted.is_empty() {
            // The node ends when nobody receives; the connection ends with it.
            let _ = received.send(Received::Listening(wanted)).await;
        }
        Ok(())
    }

    /// Joins and leaves epochs until it is as ordered.
    async fn converge(&self) -> Result<(), BrokerError> {
        loop {
            let next = self.shared.epochs().to_join();
            let Some(plan) = next else { break };
            self.binder.check(Exchange::all(plan).collect()).await?;
            self.binder.bind(self.everything(plan)).await?;
            self.shared.epochs().joined(plan);
        }
        loop {
            let next = self.shared.epochs().to_leave();
            let Some(plan) = next else { return Ok(()) };
            self.binder.unbind(self.everything(plan)).await?;
            self.shared.epochs().left(plan);
        }
    }

    /// Unbinds before the queue goes: a queue that is deleted with many bindings can hold up the broker.
    async fn leave(&self) -> BrokerError {
        let bound = self.shared.epochs().bound().to_vec();
        for plan in bound {
            if let Err(error) = self.binder.unbind(self.everything(plan)).await {
                return error;
            }
        }
        BrokerError::Left
    }

    fn everything(&self, plan: TopologyPlan) -> Vec<Route> {
        let topics = self.shared.wanted().all();
        bindings(plan, &self.own_key, &topics)
    }

    fn routes(&self, topics: &[Topic]) -> Vec<Route> {
        let bound = self.shared.epochs().bound().to_vec();
        let of_plan = |plan: TopologyPlan| {
            topics.iter().filter_map(move |topic| routing::of(plan.routing).binding(plan, topic))
        };
        bound.into_iter().flat_map(of_plan).collect()
    }
}

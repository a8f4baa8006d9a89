//! Keeps the node's queue bound to what is wanted, in every epoch that was ordered.

use std::time::Duration;

use crds::TopologyPlan;
use futures::future::BoxFuture;
use lapin::Connection;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::epoch::{Epoch, Place};
use super::{BrokerError, Shared};
use crate::bus::{Received, Topic};

/// Between two looks for channels whose lingering has ended.
const SWEEP: Duration = Duration::from_secs(5);
/// How long a new epoch is left alone before it counts as listened to: in a cluster, other nodes of the broker learn
/// of a binding a little later.
const SETTLE: Duration = Duration::from_millis(500);

/// Binds one queue, until it is left.
pub(super) struct Keeper<'a> {
    shared: &'a Shared,
    place: Place<'a>,
    epochs: Vec<Epoch>,
    /// An epoch is being joined or left; one at a time, while the others follow what is wanted.
    work: Option<BoxFuture<'a, Done>>,
}

enum Done {
    Joined(TopologyPlan, Result<Epoch, BrokerError>),
    Left,
}

impl<'a> Keeper<'a> {
    /// Binds what is published to.
    pub async fn begin(
        shared: &'a Shared,
        connection: &'a Connection,
        queue: &'a str,
    ) -> Result<Self, BrokerError> {
        let place = Place::new(&shared.settings, connection, queue);
        // What changes from here on is looked at again.
        shared.wanted().take_changed();
        let epoch = Self::first(shared, place).await?;
        place.bind_control().await?;
        Ok(Self { shared, place, epochs: vec![epoch], work: None })
    }

    /// Binds one epoch: the one to publish to or, if that cannot be, another that was ordered.
    async fn first(shared: &Shared, place: Place<'_>) -> Result<Epoch, BrokerError> {
        let mut first_error = None;
        loop {
            let next = shared.epochs().to_join(Instant::now());
            let Some(plan) = next else { return Err(first_error.unwrap_or(BrokerError::Cancelled)) };
            let topics = shared.wanted().all();
            match Epoch::join(place, plan, topics).await {
                Ok(epoch) => {
                    shared.epochs().joined(plan);
                    return Ok(epoch);
                }
                Err(error) => {
                    shared.epochs().failed(plan, error.to_string(), Instant::now());
                    first_error.get_or_insert(error);
                }
            }
        }
    }

    /// Follows the changes until something goes wrong, and says what.
    pub async fn run(mut self, received: &mpsc::Sender<Received>) -> BrokerError {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.converge();
            let retry = self.shared.epochs().next_retry().filter(|_| self.work.is_none());
            tokio::select! {
                done = ready(&mut self.work) => {
                    if let Err(error) = self.done(done).await {
                        return error;
                    }
                }
                () = self.shared.changed.notified() => {}
                _ = sweep.tick() => if !self.shared.wanted().expire(Instant::now()) { continue },
                () = until(retry) => continue,
                () = self.shared.leaving.cancelled() => return self.leave().await,
            }
            if let Err(error) = self.follow(received).await {
                return error;
            }
        }
    }

    /// Begins to join or to leave an epoch, if one has to be.
    fn converge(&mut self) {
        let mut state = self.shared.epochs();
        state.switch();
        if self.work.is_some() {
            return;
        }
        if let Some(plan) = state.to_join(Instant::now()) {
            let (place, topics) = (self.place, self.shared.wanted().all());
            self.work = Some(Box::pin(async move {
                let joined = Epoch::join(place, plan, topics).await;
                tokio::time::sleep(SETTLE).await;
                Done::Joined(plan, joined)
            }));
        } else if let Some(plan) = state.take_leaving()
            && let Some(at) = self.epochs.iter().position(|epoch| epoch.plan == plan)
        {
            let (place, epoch) = (self.place, self.epochs.remove(at));
            self.work = Some(Box::pin(async move {
                epoch.leave(place).await;
                Done::Left
            }));
        }
    }

    async fn done(&mut self, done: Done) -> Result<(), BrokerError> {
        self.work = None;
        let Done::Joined(plan, joined) = done else { return Ok(()) };
        let caught_up = match joined {
            Ok(mut epoch) => {
                let wanted = self.shared.wanted().all();
                epoch.become_bound_to(self.place, wanted).await.map(|()| epoch)
            }
            Err(error) => Err(error),
        };
        match caught_up {
            Ok(epoch) => {
                tracing::info!(epoch = plan.epoch, partitions = plan.partitions, "listening to the epoch");
                self.epochs.push(epoch);
                self.shared.epochs().joined(plan);
            }
            Err(error) => self.lost(plan, &error),
        }
        Ok(())
    }

    /// Binds and unbinds what has changed, everywhere.
    async fn follow(&mut self, received: &mpsc::Sender<Received>) -> Result<(), BrokerError> {
        let changed = self.shared.wanted().take_changed();
        let mut lost = Vec::new();
        for epoch in &mut self.epochs {
            if let Err(error) = epoch.apply(self.place, &changed).await {
                lost.push((epoch.plan, error));
            }
        }
        for (plan, error) in lost {
            if self.shared.epochs().publishing().0 == plan {
                return Err(error);
            }
            self.epochs.retain(|epoch| epoch.plan != plan);
            self.lost(plan, &error);
        }
        let wanted: Vec<Topic> =
            changed.into_iter().filter(|(_, wanted)| *wanted).map(|(topic, _)| topic).collect();
        if !wanted.is_empty() {
            // The node ends when nobody receives; the connection ends with it.
            let _ = received.send(Received::Listening(wanted)).await;
        }
        Ok(())
    }

    /// An epoch that is not published to has failed: the connection goes on without it.
    fn lost(&self, plan: TopologyPlan, error: &BrokerError) {
        tracing::warn!(epoch = plan.epoch, %error, "the epoch cannot be listened to for now");
        self.shared.epochs().failed(plan, error.to_string(), Instant::now());
    }

    /// Unbinds before the queue goes: a queue that is deleted with many bindings can hold up the broker.
    async fn leave(self) -> BrokerError {
        let place = self.place;
        futures::future::join_all(self.epochs.into_iter().map(|epoch| epoch.leave(place))).await;
        // What cannot be unbound goes with the queue.
        let _ = place.unbind_control().await;
        BrokerError::Left
    }
}

async fn ready(work: &mut Option<BoxFuture<'_, Done>>) -> Done {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

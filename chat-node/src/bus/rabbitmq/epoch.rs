//! One epoch that a queue is bound in, over channels of its own, so that one epoch does not wait for another.

use std::collections::HashSet;

use crds::TopologyPlan;
use crds::exchange::ClusterKey;
use lapin::{Channel, Connection};

use super::topology::Binder;
use super::{BrokerError, Credentials, Settings, connect};
use crate::bus::Topic;
use crate::bus::routing::{self, Exchange, Key, Route};

/// Where a queue is bound.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub credentials: &'a Credentials,
    pub connection: &'a Connection,
    pub cluster: &'a ClusterKey,
    pub queue: &'a str,
}

/// A bound epoch.
pub(super) struct Epoch {
    pub plan: TopologyPlan,
    channels: Vec<Channel>,
    topics: HashSet<Topic>,
}

impl<'a> Place<'a> {
    pub fn new(settings: &'a Settings, connection: &'a Connection, queue: &'a str) -> Self {
        Self { credentials: &settings.credentials, connection, cluster: &settings.cluster, queue }
    }

    /// Binds the control exchange.
    pub async fn bind_control(self) -> Result<(), BrokerError> {
        let channels = [connect::channel(self.connection).await?];
        self.binder(&channels).bind(vec![self.control_route()]).await
    }

    /// Makes sure that the control exchange and a plan's exchanges are there. Over a connection of its own, as naming
    /// something missing would end the one that serves.
    async fn scout(self, plan: TopologyPlan) -> Result<(), BrokerError> {
        let connection = connect::connect(self.credentials, &format!("{} scout", self.queue)).await?;
        let channels = [connect::channel(&connection).await?];
        self.binder(&channels).check(std::iter::once(Exchange::Control).chain(Exchange::all(plan))).await
    }

    /// Unbinds the control exchange.
    pub async fn unbind_control(self) -> Result<(), BrokerError> {
        let channels = [connect::channel(self.connection).await?];
        self.binder(&channels).unbind(vec![self.control_route()]).await
    }

    fn control_route(&self) -> Route {
        Route { exchange: Exchange::Control, key: self.own_key() }
    }

    /// Unbinds everything that the queue may be bound to.
    pub async fn unbind_all(
        self,
        plans: &[TopologyPlan],
        topics: &HashSet<Topic>,
    ) -> Result<(), BrokerError> {
        let channels = connect::binders(self.connection).await?;
        let binder = self.binder(&channels);
        for plan in plans {
            binder.unbind(routes(*plan, topics)).await?;
            binder.unbind(self.standing(*plan)).await?;
        }
        Ok(())
    }

    fn binder<'b>(&'b self, channels: &'b [Channel]) -> Binder<'b> {
        Binder { channels, cluster: self.cluster, queue: self.queue }
    }

    /// The key of the probes, which only this queue binds.
    fn own_key(&self) -> Key {
        Key::Queue(self.queue.into())
    }

    /// What is bound whatever the topics are.
    fn standing(&self, plan: TopologyPlan) -> Vec<Route> {
        let probes = Exchange::all(plan).map(|exchange| Route { exchange, key: self.own_key() });
        probes.chain(routing::of(plan.routing).standing(plan)).collect()
    }
}

impl Epoch {
    /// Makes sure that the epoch's exchanges are there, and binds all topics.
    pub async fn join(
        place: Place<'_>,
        plan: TopologyPlan,
        topics: HashSet<Topic>,
    ) -> Result<Self, BrokerError> {
        place.scout(plan).await?;
        let channels = connect::binders(place.connection).await?;
        let binder = place.binder(&channels);
        binder.bind(place.standing(plan)).await?;
        binder.bind(routes(plan, &topics)).await?;
        Ok(Self { plan, channels, topics })
    }

    /// Binds and unbinds so that exactly `wanted` is bound.
    pub async fn become_bound_to(
        &mut self,
        place: Place<'_>,
        wanted: HashSet<Topic>,
    ) -> Result<(), BrokerError> {
        let gone = self.topics.difference(&wanted).map(|topic| (topic.clone(), false));
        let new = wanted.difference(&self.topics).map(|topic| (topic.clone(), true));
        let changes: Vec<_> = gone.chain(new).collect();
        self.apply(place, &changes).await
    }

    /// Binds what is wanted, unbinds what is not.
    pub async fn apply(&mut self, place: Place<'_>, changed: &[(Topic, bool)]) -> Result<(), BrokerError> {
        let (mut bind, mut unbind) = (Vec::new(), Vec::new());
        for (topic, wanted) in changed {
            match wanted {
                true if self.topics.insert(topic.clone()) => bind.push(topic),
                false if self.topics.remove(topic) => unbind.push(topic),
                _ => {}
            }
        }
        let binder = place.binder(&self.channels);
        binder.bind(routes(self.plan, bind)).await?;
        binder.unbind(routes(self.plan, unbind)).await
    }

    /// Unbinds everything. What cannot be unbound goes with the queue.
    pub async fn leave(self, place: Place<'_>) {
        let mut everything = routes(self.plan, &self.topics);
        everything.extend(place.standing(self.plan));
        if let Err(error) = place.binder(&self.channels).unbind(everything).await {
            tracing::debug!(epoch = self.plan.epoch, %error, "the epoch was left without unbinding all of it");
        }
    }
}

fn routes<'a>(plan: TopologyPlan, topics: impl IntoIterator<Item = &'a Topic>) -> Vec<Route> {
    let routing = routing::of(plan.routing);
    topics.into_iter().filter_map(|topic| routing.binding(plan, topic)).collect()
}

//! The bus of nodes in one process: of a single node, and of tests. It routes as the real one does, at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use crds::node::Dependency;
use crds::topology::TopologyFault;
use crds::{RoutingMode, TopologyOrder, TopologyPlan};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::routing::{self, Exchange, Key, Route};
use super::wanted::{LINGER, Wanted};
use super::{Audience, Bus, Envelope, RECEIVED_MAX, Received, Topic};
use crate::ids::{ChannelId, UserId};

/// What the nodes of one process share.
#[derive(Clone, Debug)]
pub struct InProcessBroker {
    topology: TopologyOrder,
    members: Arc<Mutex<Vec<Weak<Member>>>>,
}

/// One node's bus.
#[derive(Debug)]
pub struct InProcess {
    broker: InProcessBroker,
    member: Arc<Member>,
}

#[derive(Debug)]
struct Member {
    state: Mutex<State>,
    received: mpsc::Sender<Received>,
}

#[derive(Debug)]
struct State {
    topology: TopologyOrder,
    wanted: Wanted,
    left: bool,
}

impl Default for InProcessBroker {
    fn default() -> Self {
        Self::with(TopologyPlan { epoch: 1, partitions: 4, routing: RoutingMode::default() })
    }
}

impl InProcessBroker {
    /// A broker whose nodes begin with this plan.
    pub fn with(plan: TopologyPlan) -> Self {
        Self { topology: TopologyOrder::of(plan), members: Arc::default() }
    }

    /// A bus for one more node, and what it receives.
    pub fn join(&self) -> (InProcess, mpsc::Receiver<Received>) {
        let (sender, receiver) = mpsc::channel(RECEIVED_MAX);
        let state = State { topology: self.topology.clone(), wanted: Wanted::default(), left: false };
        let member = Arc::new(Member { state: Mutex::new(state), received: sender });
        member.give(Received::Connected);
        let mut members = self.members();
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(&member));
        drop(members);
        (InProcess { broker: self.clone(), member }, receiver)
    }

    fn members(&self) -> MutexGuard<'_, Vec<Weak<Member>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Bus for InProcess {
    fn publish(&self, envelope: &Envelope, audience: Audience<'_>) {
        let routes = {
            let state = self.member.state();
            let Some(plan) = state.publishing() else { return };
            routing::of(plan.routing).routes(plan, audience)
        };
        let members: Vec<_> = self.broker.members().iter().filter_map(Weak::upgrade).collect();
        for member in members {
            if member.wants(&routes) {
                member.give(Received::Envelope(envelope.clone()));
            }
        }
    }

    fn attach(&self, user: &UserId) {
        self.member.state().add(Topic::User(user.clone()));
    }

    fn detach(&self, user: &UserId) {
        self.member.state().remove(&Topic::User(user.clone()));
    }

    fn follow(&self, channel: ChannelId) {
        self.member.state().add(Topic::Channel(channel));
    }

    fn unfollow(&self, channel: ChannelId) {
        self.member.state().remove(&Topic::Channel(channel));
    }

    fn routing(&self) -> RoutingMode {
        self.member.state().publishing().map(|plan| plan.routing).unwrap_or_default()
    }

    fn health(&self) -> Dependency {
        Dependency::Reachable
    }

    fn epochs(&self) -> Vec<u32> {
        self.member.state().topology.listen.iter().map(|plan| plan.epoch).collect()
    }

    fn publishing(&self) -> Option<u32> {
        self.member.state().publishing().map(|plan| plan.epoch)
    }

    fn order(&self, order: TopologyOrder) -> Result<(), TopologyFault> {
        let mut state = self.member.state();
        order.check_after(&state.topology)?;
        state.topology = order;
        Ok(())
    }

    async fn leave(&self) {
        self.member.state().left = true;
    }
}

impl Member {
    fn wants(&self, routes: &[Route]) -> bool {
        let state = self.state();
        !state.left && routes.iter().any(|route| state.takes(route))
    }

    /// A node that does not keep up misses it, as it would with a broker.
    fn give(&self, received: Received) {
        if self.received.try_send(received).is_err() {
            tracing::debug!("a node of this process takes no more envelopes for now");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn publishing(&self) -> Option<TopologyPlan> {
        self.topology.plan(self.topology.publish).filter(|_| !self.left)
    }

    /// It holds at once, so nobody has to hear of it. By user, what another node tells of a direct channel while the user is
    /// away is missed by a room that is still open, until the next comparison of heads.
    fn add(&mut self, topic: Topic) {
        if self.wanted.add(topic) {
            self.wanted.take_changed();
        }
    }

    /// Nothing lingers here: binding costs nothing.
    fn remove(&mut self, topic: &Topic) {
        let now = Instant::now();
        if self.wanted.remove(topic, now) {
            self.wanted.expire(now + LINGER);
            self.wanted.take_changed();
        }
    }

    /// Whether it would be bound in a broker.
    fn takes(&self, route: &Route) -> bool {
        let is_bound_to = |plan: &TopologyPlan| {
            let routing = routing::of(plan.routing);
            match &route.key {
                Key::Topic(topic) => {
                    self.wanted.contains(topic) && routing.binding(*plan, topic).as_ref() == Some(route)
                }
                Key::Empty | Key::All | Key::Queue(_) => routing.standing(*plan).contains(route),
            }
        };
        route.exchange == Exchange::Control || self.topology.listen.iter().any(is_bound_to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bus::Notice;

    fn numbered(number: usize) -> Envelope {
        let (queue, exchange) = (number.to_string(), String::new());
        Envelope::new(Notice::Probe { queue, exchange })
    }

    fn mode(number: u8) -> RoutingMode {
        [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static][usize::from(number % 3)]
    }

    proptest! {
        /// Two nodes are told step by step, as the operator does it: the next step only when both have taken the last
        /// one. Whoever publishes in between, both hear it once.
        #[test]
        fn whatever_is_published_during_a_change_of_partitions_arrives_once(
            (from, to) in (0_u8..3, 0_u8..3),
            partitions in (1_u16..20, 1_u16..20),
            steps in proptest::collection::vec((0_usize..2, any::<bool>()), 1..80),
        ) {
            let plans = [
                TopologyPlan { epoch: 1, partitions: partitions.0, routing: mode(from) },
                TopologyPlan { epoch: 2, partitions: partitions.1, routing: mode(to) },
            ];
            let orders = [
                TopologyOrder::of(plans[0]),
                TopologyOrder { listen: plans.to_vec(), publish: 1 },
                TopologyOrder { listen: plans.to_vec(), publish: 2 },
                TopologyOrder::of(plans[1]),
            ];
            let broker = InProcessBroker::with(plans[0]);
            let mut ends = [broker.join(), broker.join()];
            let members: Vec<UserId> = vec!["ada".parse().unwrap(), "bob".parse().unwrap()];
            for ((bus, _), user) in ends.iter().zip(&members) {
                bus.attach(user);
                bus.follow(ChannelId(77));
            }
            let (mut taken, mut published) = ([0, 0], 0);
            for (node, orders_next) in steps {
                if orders_next && taken[node] <= taken[1 - node] && taken[node] + 1 < orders.len() {
                    taken[node] += 1;
                    ends[node].0.order(orders[taken[node]].clone()).unwrap();
                } else {
                    let audience = Audience::Channel { id: ChannelId(77), members: &members };
                    ends[node].0.publish(&numbered(published), audience);
                    published += 1;
                }
            }
            for (_, received) in &mut ends {
                let mut arrived = Vec::new();
                while let Ok(received) = received.try_recv() {
                    if let Received::Envelope(envelope) = received {
                        arrived.push(envelope);
                    }
                }
                prop_assert_eq!(arrived, (0..published).map(numbered).collect::<Vec<_>>());
            }
        }
    }
}

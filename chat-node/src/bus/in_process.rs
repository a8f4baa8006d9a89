//! The bus of nodes in one process: of a single node, and of tests. It routes as the real one does, at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use crds::node::Dependency;
use crds::topology::TopologyFault;
use crds::{RoutingMode, TopologyOrder, TopologyPlan};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::routing::{self, Exchange, Route};
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
    bound: HashSet<Route>,
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
        let state = State {
            topology: self.topology.clone(),
            wanted: Wanted::default(),
            bound: HashSet::new(),
            left: false,
        };
        let member = Arc::new(Member { state: Mutex::new(state), received: sender });
        member.state().rebind();
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
        self.member.add(Topic::User(user.clone()));
    }

    fn detach(&self, user: &UserId) {
        self.member.remove(&Topic::User(user.clone()));
    }

    fn follow(&self, channel: ChannelId) {
        self.member.add(Topic::Channel(channel));
    }

    fn unfollow(&self, channel: ChannelId) {
        self.member.remove(&Topic::Channel(channel));
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
        state.rebind();
        Ok(())
    }

    async fn leave(&self) {
        let mut state = self.member.state();
        state.left = true;
        state.rebind();
    }
}

impl Member {
    fn add(&self, topic: Topic) {
        if self.state().add(&topic) {
            self.give(Received::Listening(vec![topic]));
        }
    }

    fn remove(&self, topic: &Topic) {
        self.state().remove(topic);
    }

    fn wants(&self, routes: &[Route]) -> bool {
        let state = self.state();
        let takes = |route: &Route| route.exchange == Exchange::Control || state.bound.contains(route);
        !state.left && routes.iter().any(takes)
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

    fn add(&mut self, topic: &Topic) -> bool {
        let first = self.wanted.add(topic.clone());
        if first {
            self.wanted.take_changed();
            self.bound.extend(bindings(&self.topology, topic));
        }
        first
    }

    /// Nothing lingers here: binding costs nothing.
    fn remove(&mut self, topic: &Topic) {
        let now = Instant::now();
        if self.wanted.remove(topic, now) {
            self.wanted.expire(now + LINGER);
            self.wanted.take_changed();
            for route in bindings(&self.topology, topic) {
                self.bound.remove(&route);
            }
        }
    }

    fn rebind(&mut self) {
        self.bound.clear();
        if self.left {
            return;
        }
        for plan in &self.topology.listen {
            self.bound.extend(routing::of(plan.routing).standing(*plan));
        }
        for topic in self.wanted.all() {
            self.bound.extend(bindings(&self.topology, &topic));
        }
    }
}

fn bindings(topology: &TopologyOrder, topic: &Topic) -> impl Iterator<Item = Route> {
    topology.listen.iter().filter_map(|plan| routing::of(plan.routing).binding(*plan, topic))
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

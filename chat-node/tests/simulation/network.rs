//! The broker between the nodes: it routes as the real one does, but loses, repeats, delays and reorders; nodes are cut
//! off with or without noticing. What a node binds or is ordered to do takes effect a while later.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_node::bus::routing::{self, Exchange, Route};
use chat_node::bus::{Envelope, Notice, RECEIVED_MAX, Received, Standing, Topic};
use chat_node::ids::AccessVersion;
use crds::{RoutingMode, TopologyOrder, TopologyPlan};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::flaw::Flaw;
use crate::life::Life;
use crate::trace::{Event, NodeId};
use crate::world::World;

/// Longest time until a new binding or an order takes effect, in ms.
const BIND_MS: u64 = 40;

/// The broker.
#[derive(Debug)]
pub struct Network {
    pub world: Arc<World>,
    pub dice: Dice,
    /// What nodes begin with.
    wanted: Mutex<TopologyOrder>,
    members: Mutex<BTreeMap<NodeId, Arc<Member>>>,
}

/// A node's connection to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Up,
    /// Nothing comes, and the node does not know.
    Deaf,
    /// There is none, and the node knows.
    Away,
}

/// A node as the broker has it.
#[derive(Debug)]
pub struct Member {
    pub life: Arc<Life>,
    received: mpsc::Sender<Received>,
    state: Mutex<State>,
}

#[derive(Debug)]
pub struct State {
    pub link: Link,
    /// What the node knows of it.
    pub standing: Standing,
    /// What holds.
    pub topology: TopologyOrder,
    /// How often each topic is wanted.
    topics: BTreeMap<Topic, usize>,
    bound: HashSet<Route>,
    pub left: bool,
}

impl Network {
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        let dice = world.dice.fork();
        let modes = [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static];
        let routing = modes[dice.up_to(2) as usize];
        let wanted = TopologyOrder::of(TopologyPlan { epoch: 1, partitions: 3, routing });
        let (wanted, members) = (Mutex::new(wanted), Mutex::default());
        Arc::new(Self { world: Arc::clone(world), dice, wanted, members })
    }

    /// One more node, and what it receives.
    pub fn join(self: &Arc<Self>, life: &Arc<Life>) -> (Arc<Member>, mpsc::Receiver<Received>) {
        let (received, receiver) = mpsc::channel(RECEIVED_MAX);
        let mut state = State {
            link: Link::Up,
            standing: Standing::connected("a queue"),
            topology: self.wanted().clone(),
            topics: BTreeMap::new(),
            bound: HashSet::new(),
            left: false,
        };
        state.bind_all();
        let member = Arc::new(Member { life: Arc::clone(life), received, state: Mutex::new(state) });
        member.give(Received::Connected);
        self.members().insert(life.node, Arc::clone(&member));
        (member, receiver)
    }

    /// What nodes that start from now on begin with.
    pub fn wanted(&self) -> MutexGuard<'_, TopologyOrder> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn member(&self, node: NodeId) -> Option<Arc<Member>> {
        self.members().get(&node).cloned()
    }

    /// Changes a node's connection. When it is up again, all that the node wants is bound anew.
    pub fn set_link(self: &Arc<Self>, node: NodeId, link: Link) {
        let Some(member) = self.member(node) else { return };
        let before = member.state().set_link(link);
        if link == Link::Up && before != Link::Up {
            self.soon(&member, |member| {
                let mut state = member.state();
                if state.link == Link::Up {
                    state.bind_all();
                    drop(state);
                    member.give(Received::Connected);
                }
            });
        }
    }

    /// Ends every cut.
    pub fn heal(self: &Arc<Self>) {
        let nodes: Vec<_> = self.members().keys().copied().collect();
        nodes.into_iter().for_each(|node| self.set_link(node, Link::Up));
    }

    /// Does something at the broker after a while, if the node still runs then.
    pub fn soon(&self, member: &Arc<Member>, act: impl FnOnce(&Member) + Send + 'static) {
        let delay = Duration::from_millis(self.dice.up_to(BIND_MS));
        let member = Arc::clone(member);
        tokio::spawn(async move {
            sleep(delay).await;
            member.life.runs().await;
            act(&member);
        });
    }

    /// Takes an envelope to every node that has bound one of `routes`.
    pub fn publish(self: &Arc<Self>, from: NodeId, envelope: &Envelope, routes: &[Route]) {
        let Some(mut envelope) = self.carried(envelope) else { return };
        if let (Some(Flaw::EntriesLoseAccess), Notice::Entry { access, .. }) =
            (self.world.flaw, &mut envelope.notice)
        {
            *access = AccessVersion(0);
        }
        let members: Vec<_> = self.members().values().cloned().collect();
        for to in members.iter().filter(|to| to.takes(routes)) {
            let (loses, repeats) = {
                let weather = self.world.weather();
                let apart = weather.apart.contains(&(from, to.life.node));
                (if apart { 1.0 } else { weather.bus_loses }, weather.bus_repeats)
            };
            if self.dice.happens(loses) {
                self.world.trace.note(Event::BusLoses { from, to: to.life.node });
                continue;
            }
            self.bring(from, to, &envelope);
            if self.dice.happens(repeats) {
                self.bring(from, to, &envelope);
            }
        }
    }

    /// An envelope as it arrives. What does not survive the way as bytes does not, which some of them are enough to show.
    fn carried(&self, envelope: &Envelope) -> Option<Envelope> {
        if self.dice.happens(0.25) {
            Envelope::from_bytes(&envelope.to_bytes())
        } else {
            Some(envelope.clone())
        }
    }

    /// Brings an envelope to a node after a while; each has its own, so they overtake one another.
    fn bring(self: &Arc<Self>, from: NodeId, to: &Arc<Member>, envelope: &Envelope) {
        let delay = Duration::from_millis(self.dice.up_to(self.world.weather().bus_ms));
        let (world, to, envelope) = (Arc::clone(&self.world), Arc::clone(to), envelope.clone());
        tokio::spawn(async move {
            sleep(delay).await;
            to.life.runs().await;
            let arrives = to.state().link == Link::Up;
            let to_node = to.life.node;
            world.trace.note(if arrives {
                Event::BusBrings { from, to: to_node }
            } else {
                Event::BusLoses { from, to: to_node }
            });
            if arrives {
                to.give(Received::Envelope(envelope));
            }
        });
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<NodeId, Arc<Member>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    fn takes(&self, routes: &[Route]) -> bool {
        let state = self.state();
        let takes = |route: &Route| route.exchange == Exchange::Control || state.bound.contains(route);
        self.life.is_alive() && !state.left && routes.iter().any(takes)
    }

    pub fn give(&self, received: Received) {
        // A node that does not keep up misses it, as it would with a broker.
        let _ = self.received.try_send(received);
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives how it was before.
    fn set_link(&mut self, link: Link) -> Link {
        match link {
            Link::Up if self.link != Link::Up => self.standing = Standing::connected("a queue"),
            Link::Up | Link::Deaf => {}
            Link::Away => self.standing = Standing::Away { reason: "a fault of the simulation".to_owned() },
        }
        std::mem::replace(&mut self.link, link)
    }

    /// Wants a topic once more; `true`: it is the first time.
    pub fn want(&mut self, topic: &Topic) -> bool {
        let count = self.topics.entry(topic.clone()).or_default();
        *count += 1;
        *count == 1
    }

    /// Wants a topic once less; `true`: it is not wanted any more.
    pub fn unwant(&mut self, topic: &Topic) -> bool {
        let Some(count) = self.topics.get_mut(topic) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.topics.remove(topic);
        }
        last
    }

    /// Makes the bindings of a topic what is wanted; `true`: it is listened to from now on.
    pub fn rebind(&mut self, topic: &Topic) -> bool {
        if self.link != Link::Up {
            return false;
        }
        let wanted = self.topics.contains_key(topic);
        let mut changed = false;
        for plan in self.topology.listen.clone() {
            let Some(route) = routing::of(plan.routing).binding(plan, topic) else { continue };
            changed |= if wanted { self.bound.insert(route) } else { self.bound.remove(&route) };
        }
        wanted && (changed || self.hears_anyway())
    }

    /// Binds what is wanted, and nothing else.
    pub fn bind_all(&mut self) {
        self.bound.clear();
        for plan in self.topology.listen.clone() {
            let routing = routing::of(plan.routing);
            self.bound.extend(routing.standing(plan));
            self.bound.extend(self.topics.keys().filter_map(|topic| routing.binding(plan, topic)));
        }
    }

    /// The plan that is published to.
    pub fn publishing(&self) -> Option<TopologyPlan> {
        self.topology.plan(self.topology.publish).filter(|_| !self.left)
    }

    fn hears_anyway(&self) -> bool {
        self.topology.listen.iter().any(|plan| plan.routing == RoutingMode::Static)
    }
}

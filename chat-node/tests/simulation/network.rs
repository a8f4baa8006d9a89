//! The bus between the nodes: it loses, repeats, delays and reorders; nodes are cut off with or without noticing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_node::bus::{Audience, Bus, Envelope, RECEIVED_MAX, Received};
use chat_node::ids::UserId;
use crds::node::Dependency;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::life::Life;
use crate::trace::{Event, NodeId};
use crate::world::World;

/// Longest time until a new binding holds, in ms.
const BIND_MS: u64 = 40;

/// The bus as a whole.
#[derive(Debug)]
pub struct Network {
    world: Arc<World>,
    dice: Dice,
    nodes: Mutex<BTreeMap<NodeId, Arc<Member>>>,
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

#[derive(Debug)]
struct Member {
    life: Arc<Life>,
    received: mpsc::Sender<Received>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    link: Link,
    /// Connections of each user.
    wanted: BTreeMap<UserId, usize>,
    bound: BTreeSet<UserId>,
}

/// The bus as one node has it.
#[derive(Debug)]
pub struct NodeBus {
    network: Arc<Network>,
    member: Arc<Member>,
}

impl Network {
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self { world: Arc::clone(world), dice: world.dice.fork(), nodes: Mutex::default() })
    }

    /// A bus for one more node, and what it receives.
    pub fn join(self: &Arc<Self>, life: &Arc<Life>) -> (Arc<NodeBus>, mpsc::Receiver<Received>) {
        let (received, receiver) = mpsc::channel(RECEIVED_MAX);
        let state = State { link: Link::Up, wanted: BTreeMap::new(), bound: BTreeSet::new() };
        let member = Arc::new(Member { life: Arc::clone(life), received, state: Mutex::new(state) });
        member.give(Received::Connected);
        self.nodes().insert(life.node, Arc::clone(&member));
        (Arc::new(NodeBus { network: Arc::clone(self), member }), receiver)
    }

    /// Changes a node's connection. When it is up again, all that the node wants is bound anew.
    pub fn set_link(self: &Arc<Self>, node: NodeId, link: Link) {
        let Some(member) = self.nodes().get(&node).cloned() else { return };
        let before = std::mem::replace(&mut member.state().link, link);
        if link == Link::Up && before != Link::Up {
            let delay = Duration::from_millis(self.dice.up_to(BIND_MS));
            tokio::spawn(async move {
                sleep(delay).await;
                member.life.runs().await;
                let mut state = member.state();
                if state.link == Link::Up {
                    state.bound = state.wanted.keys().cloned().collect();
                    drop(state);
                    member.give(Received::Connected);
                }
            });
        }
    }

    /// Ends every cut.
    pub fn heal(self: &Arc<Self>) {
        let nodes: Vec<_> = self.nodes().keys().copied().collect();
        nodes.into_iter().for_each(|node| self.set_link(node, Link::Up));
    }

    fn send(self: &Arc<Self>, from: NodeId, envelope: &Envelope) {
        let members: Vec<_> = self.nodes().values().cloned().collect();
        for to in members.iter().filter(|to| to.wants(envelope)) {
            let (loses, repeats) = {
                let weather = self.world.weather();
                let apart = weather.apart.contains(&(from, to.life.node));
                (if apart { 1.0 } else { weather.bus_loses }, weather.bus_repeats)
            };
            if self.dice.happens(loses) {
                self.world.trace.note(Event::BusLoses { from, to: to.life.node });
                continue;
            }
            self.bring(from, to, envelope);
            if self.dice.happens(repeats) {
                self.bring(from, to, envelope);
            }
        }
    }

    /// Brings an envelope to a node after a while; each has its own, so they overtake one another.
    fn bring(self: &Arc<Self>, from: NodeId, to: &Arc<Member>, envelope: &Envelope) {
        let delay = Duration::from_millis(self.dice.up_to(self.world.weather().bus_ms));
        let (network, to, envelope) = (Arc::clone(self), Arc::clone(to), envelope.clone());
        tokio::spawn(async move {
            sleep(delay).await;
            to.life.runs().await;
            let arrives = to.state().link == Link::Up;
            let to_node = to.life.node;
            network.world.trace.note(if arrives {
                Event::BusBrings { from, to: to_node }
            } else {
                Event::BusLoses { from, to: to_node }
            });
            if arrives {
                to.give(Received::Envelope(envelope));
            }
        });
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<NodeId, Arc<Member>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    fn wants(&self, envelope: &Envelope) -> bool {
        match envelope.audience() {
            Audience::Everyone => self.life.is_alive(),
            Audience::Users(users) => {
                let state = self.state();
                self.life.is_alive() && users.iter().any(|user| state.bound.contains(user))
            }
        }
    }

    fn give(&self, received: Received) {
        // A node that does not keep up misses it, as it would with a broker.
        let _ = self.received.try_send(received);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NodeBus {
    /// Publishes what the node did not ask to publish.
    pub fn tell(&self, envelope: &Envelope) {
        self.network.send(self.member.life.node, envelope);
    }

    /// Lets the broker learn of a change, after a while.
    fn rebind(&self, user: &UserId) {
        let delay = Duration::from_millis(self.network.dice.up_to(BIND_MS));
        let (member, user) = (Arc::clone(&self.member), user.clone());
        tokio::spawn(async move {
            sleep(delay).await;
            member.life.runs().await;
            let mut state = member.state();
            if state.link != Link::Up {
                return;
            }
            if !state.wanted.contains_key(&user) {
                state.bound.remove(&user);
            } else if state.bound.insert(user.clone()) {
                drop(state);
                member.give(Received::Attached(vec![user]));
            }
        });
    }
}

impl Bus for NodeBus {
    fn publish(&self, envelope: &Envelope) {
        if self.member.life.step_now() && self.member.state().link != Link::Away {
            self.network.send(self.member.life.node, envelope);
        }
    }

    fn attach(&self, user: &UserId) {
        let mut state = self.member.state();
        let connections = state.wanted.entry(user.clone()).or_default();
        *connections += 1;
        if *connections == 1 {
            drop(state);
            self.rebind(user);
        }
    }

    fn detach(&self, user: &UserId) {
        let mut state = self.member.state();
        let Some(connections) = state.wanted.get_mut(user) else { return };
        *connections -= 1;
        if *connections == 0 {
            state.wanted.remove(user);
            drop(state);
            if self.member.life.is_alive() {
                self.rebind(user);
            }
        }
    }

    fn health(&self) -> Dependency {
        match self.member.state().link {
            Link::Up | Link::Deaf => Dependency::Reachable,
            Link::Away => Dependency::Unreachable { reason: "a fault of the simulation".to_owned() },
        }
    }

    fn epochs(&self) -> Vec<u32> {
        vec![1]
    }
}

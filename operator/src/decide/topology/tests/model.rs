//! A broker, chat nodes and an operator that may be cut off after every single thing it does. Everything that they do is
//! one event, so that any order of events can be tried.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crds::{TopologyOrder, TopologyStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Topology, decide};
use crate::cluster::Cluster;
use crate::fixture;
use crate::observe::{BrokerState, Observed, PodState, Seen};
use crate::plan::{BrokerAction, NodeOrder};
use crate::rabbitmq::Exchange;
use crate::resources::{HIGHEST_EPOCH_ANNOTATION, Kind, ORDER_ANNOTATION};

/// One thing that the operator does in a visit.
enum Deed {
    Broker(BrokerAction),
    Settings(Settings),
    Order(NodeOrder),
    Retire(String),
    Status(Option<TopologyStatus>),
}

/// What the ConfigMap says of epochs.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    order: TopologyOrder,
    highest_epoch: u32,
}

/// A chat node, as `chat-node` does it.
struct Node {
    ordered: TopologyOrder,
    bound: BTreeSet<u32>,
    publishing: u32,
    /// Epochs that something is on its way to.
    underway: BTreeSet<u32>,
    /// Whether it has bound all that it was told since it connected: until then it polls the store as well.
    joined: bool,
    reachable: bool,
}

/// What can happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The operator begins a visit, or does the next thing of the one that it is at.
    Operate,
    /// The operator ends in the middle of what it does, and starts anew.
    Crash,
    /// A chat node does the next thing towards its order.
    Progress(usize),
    /// A chat node publishes a message.
    Publish(usize),
    /// The broker has confirmed all that a chat node has published.
    Confirm(usize),
    /// A chat node loses its connection to the broker.
    Disconnect(usize),
    /// A chat node answers no longer, or again.
    Toggle(usize),
    /// A chat node starts.
    Boot,
    /// A chat node ends.
    End(usize),
    /// Somebody changes the spec.
    Wish(u16),
    /// Somebody deletes an exchange.
    Lose(usize),
}

pub(super) struct Model {
    cluster: Cluster,
    settings: Option<Settings>,
    exchanges: BTreeMap<String, Exchange>,
    nodes: BTreeMap<usize, Node>,
    booted: usize,
    visit: VecDeque<Deed>,
    /// Somebody took an exchange away: messages get lost until it is back, whatever the operator does.
    harmed: bool,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            cluster: fixture::cluster(|_| {}),
            settings: None,
            exchanges: BTreeMap::new(),
            nodes: BTreeMap::new(),
            booted: 0,
            visit: VecDeque::new(),
            harmed: false,
        }
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Operate => self.operate(),
            Event::Crash => self.visit.clear(),
            Event::Progress(nth) => self.progress(nth),
            Event::Publish(nth) => self.publish(nth),
            Event::Confirm(nth) => drop(self.node(nth).map(|node| node.underway.clear())),
            Event::Disconnect(nth) => drop(self.node(nth).map(Node::disconnect)),
            Event::Toggle(nth) => drop(self.node(nth).map(|node| node.reachable = !node.reachable)),
            Event::Boot => self.boot(),
            Event::End(nth) => {
                let gone = self.key(nth);
                self.nodes.retain(|id, _| Some(*id) != gone);
            }
            Event::Wish(nth) => {
                let spec = self.cluster.spec.as_mut().unwrap();
                spec.rabbitmq.partitions = nth % 4 + 1;
                spec.rabbitmq.routing = match nth % 3 {
                    0 => crds::RoutingMode::User,
                    1 => crds::RoutingMode::Static,
                    _ => crds::RoutingMode::Channel,
                };
            }
            Event::Lose(nth) => {
                let lost = self.exchanges.keys().nth(nth % self.exchanges.len().max(1)).cloned();
                self.exchanges.retain(|name, _| Some(name) != lost.as_ref());
                self.harmed = true;
            }
        }
    }

    /// Everything goes well from here on: the number of visits until nothing is left to do.
    pub(super) fn settle(&mut self) -> usize {
        for node in self.nodes.values_mut() {
            node.reachable = true;
        }
        for visits in 0..40 {
            for _ in 0..20 {
                for nth in 0..self.nodes.len() {
                    self.happen(Event::Confirm(nth));
                    self.happen(Event::Progress(nth));
                }
            }
            if self.visit.is_empty() && self.is_idle() {
                self.harmed = false;
                return visits;
            }
            self.operate();
            while !self.visit.is_empty() {
                self.operate();
            }
        }
        panic!("not settled: {:?} {:?}", self.settings, self.exchanges.keys());
    }

    /// Nothing but what the spec asks for is there, and everybody uses it.
    pub(super) fn assert_as_specified(&self) {
        let spec = self.cluster.spec.as_ref().unwrap();
        let Settings { order, .. } = self.settings.clone().unwrap();
        assert_eq!(order.listen.len(), 1);
        assert_eq!(order.listen[0].partitions, spec.rabbitmq.partitions);
        assert_eq!(order.listen[0].routing, spec.rabbitmq.routing);
        let key = self.cluster.key();
        let wanted: BTreeSet<_> =
            super::super::exchanges::wanted(&key, &order).into_iter().map(|exchange| exchange.name).collect();
        assert_eq!(self.exchanges.keys().cloned().collect::<BTreeSet<_>>(), wanted);
        for node in self.nodes.values() {
            assert_eq!((&node.ordered, node.publishing), (&order, order.publish));
            assert_eq!(node.bound, BTreeSet::from([order.publish]));
        }
        let status = self.cluster.status.topology.unwrap();
        assert_eq!((status.epoch, status.target, status.step), (order.publish, None, None));
    }

    fn is_idle(&self) -> bool {
        let Topology { actions, order, highest_epoch, orders, retire, status, .. } = self.decide();
        actions.is_empty()
            && orders.is_empty()
            && retire.is_empty()
            && self.settings == Some(Settings { order, highest_epoch })
            && self.cluster.status.topology == status
    }

    fn decide(&self) -> Topology {
        decide(&self.cluster, self.cluster.spec.as_ref().unwrap(), &self.observe(), Timestamp::UNIX_EPOCH)
    }

    fn operate(&mut self) {
        let Some(deed) = self.visit.pop_front() else {
            let Topology { actions, order, highest_epoch, orders, retire, status, .. } = self.decide();
            self.visit.extend(actions.into_iter().map(Deed::Broker));
            self.visit.push_back(Deed::Settings(Settings { order, highest_epoch }));
            self.visit.extend(orders.into_iter().map(Deed::Order));
            self.visit.extend(retire.into_iter().map(Deed::Retire));
            self.visit.push_back(Deed::Status(status));
            return;
        };
        match deed {
            Deed::Broker(BrokerAction::Declare(exchange)) => {
                self.exchanges.entry(exchange.name.clone()).or_insert(exchange);
            }
            Deed::Broker(other) => panic!("{other:?}"),
            Deed::Settings(settings) => self.settings = Some(settings),
            Deed::Order(order) => self.order(&order),
            Deed::Retire(name) => self.retire(&name),
            Deed::Status(status) => self.cluster.status.topology = status,
        }
    }

    fn order(&mut self, NodeOrder { pod, order, .. }: &NodeOrder) {
        let node = self.nodes.iter_mut().find(|(id, _)| name(**id) == *pod).map(|(_, node)| node);
        match node.filter(|node| node.reachable) {
            Some(node) => {
                order.check_after(&node.ordered).unwrap_or_else(|fault| panic!("{pod} refuses: {fault}"));
                node.ordered = order.clone();
                node.switch();
            }
            // As `act` does: nothing is deleted unless every order was taken.
            None => self.visit.retain(|deed| !matches!(deed, Deed::Retire(_))),
        }
    }

    fn retire(&mut self, exchange: &str) {
        let epoch = self.cluster.key().epoch_of(exchange).unwrap();
        for (id, node) in &self.nodes {
            let uses = node.publishing == epoch || node.underway.contains(&epoch);
            assert!(!uses, "{exchange} is deleted and {} uses it", name(*id));
            assert!(node.ordered.plan(epoch).is_none(), "{exchange} is deleted and {} may use it", name(*id));
        }
        // As the broker does: a node may have bound it since it was asked, and has just been told to leave it.
        if !self.nodes.values().any(|node| node.bound.contains(&epoch)) {
            self.exchanges.remove(exchange);
        }
    }

    fn publish(&mut self, nth: usize) {
        let Some(node) = self.node(nth).filter(|node| node.bound.contains(&node.publishing)) else { return };
        let epoch = node.publishing;
        node.underway.insert(epoch);
        for (id, other) in &self.nodes {
            let hears = other.bound.contains(&epoch) || !other.joined || self.harmed;
            assert!(hears, "{} does not hear what is published to epoch {epoch}", name(*id));
        }
    }

    fn progress(&mut self, nth: usize) {
        let Some(id) = self.key(nth) else { return };
        let key = self.cluster.key();
        let exchanges = &self.exchanges;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let is_there = |plan: &&crds::TopologyPlan| {
            (0..plan.partitions)
                .all(|partition| exchanges.contains_key(&key.partition(plan.epoch, partition)))
        };
        let unbound = node.ordered.listen.iter().filter(|plan| !node.bound.contains(&plan.epoch));
        if let Some(plan) = unbound.filter(is_there).max_by_key(|plan| plan.epoch == node.ordered.publish) {
            node.bound.insert(plan.epoch);
            if !node.bound.contains(&node.publishing) {
                node.publishing = plan.epoch;
            }
        } else {
            let (ordered, publishing) = (&node.ordered, node.publishing);
            let leaving =
                node.bound.iter().find(|epoch| ordered.plan(**epoch).is_none() && **epoch != publishing);
            if let Some(leaving) = leaving.copied() {
                node.bound.remove(&leaving);
            }
        }
        node.joined |= node.ordered.listen.iter().all(|plan| node.bound.contains(&plan.epoch));
        node.switch();
    }

    fn boot(&mut self) {
        let Some(Settings { order, .. }) = self.settings.clone().filter(|_| self.nodes.len() < 4) else {
            return;
        };
        self.booted += 1;
        let publishing = order.publish;
        self.nodes.insert(
            self.booted,
            Node {
                ordered: order,
                bound: BTreeSet::new(),
                publishing,
                underway: BTreeSet::new(),
                joined: false,
                reachable: true,
            },
        );
    }

    fn key(&self, nth: usize) -> Option<usize> {
        self.nodes.keys().nth(nth % self.nodes.len().max(1)).copied()
    }

    fn node(&mut self, nth: usize) -> Option<&mut Node> {
        let key = self.key(nth)?;
        self.nodes.get_mut(&key)
    }

    fn observe(&self) -> Observed {
        let pods = self.nodes.iter().map(|(id, node)| node.pod(*id)).collect();
        let settings = self.settings.as_ref().map(|settings| settings.config_map(&self.cluster));
        let mut observed = Observed {
            pods: Seen::Known(pods),
            broker: BrokerState::Exchanges(self.exchanges.values().cloned().collect()),
            ..Observed::default()
        };
        observed.children.0.insert(Kind::ConfigMap, Seen::Known(settings));
        observed
    }
}

impl Node {
    fn switch(&mut self) {
        if self.bound.contains(&self.ordered.publish) {
            self.publishing = self.ordered.publish;
        }
    }

    fn disconnect(&mut self) {
        self.bound.clear();
        self.underway.clear();
        self.joined = false;
        self.publishing = self.ordered.publish;
    }

    fn pod(&self, id: usize) -> PodState {
        let mut pod = fixture::pod(&name(id), 0);
        match &mut pod.report {
            _ if !self.reachable => pod.report = Seen::Unknown("no answer".to_owned()),
            Seen::Known(report) => {
                report.epochs = self.bound.iter().copied().collect();
                let settled = self.underway.iter().all(|epoch| *epoch == self.publishing);
                report.publishing =
                    Some(self.publishing).filter(|epoch| settled && self.bound.contains(epoch));
            }
            Seen::Unknown(why) => panic!("{why}"),
        }
        pod
    }
}

impl Settings {
    /// The live ConfigMap, as far as it matters.
    fn config_map(&self, cluster: &Cluster) -> Value {
        json!({ "metadata": {
            "annotations": {
                ORDER_ANNOTATION: serde_json::to_string(&self.order).unwrap(),
                HIGHEST_EPOCH_ANNOTATION: self.highest_epoch.to_string(),
            },
            "ownerReferences": [{ "uid": cluster.uid }],
        } })
    }
}

fn name(id: usize) -> String {
    format!("pod-{id:03}")
}

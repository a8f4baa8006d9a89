//! What two nodes go through while nodes of a broker cluster die, hang, or take no publishes.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_node::bus::{Audience, Received};
use chat_node::ids::ChannelId;
use crds::node::Dependency;
use crds::{QueueType, RoutingMode};
use futures::future::join_all;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::support::broker::Broker;
use super::support::conformance::{End, number_of, to_everyone};
use super::support::proxy::Proxy;

/// Comma-separated addresses of a cluster's nodes, each with its user.
const CLUSTER: &str = "VT_TEST_RABBITMQ_CLUSTER";
/// A program that does what its arguments say: `kill`, `start`, `pause`, `resume`, `block`, `unblock`, and the node's
/// number, from 1.
const FAULT: &str = "VT_TEST_RABBITMQ_FAULT";

const CHANNEL: ChannelId = ChannelId(77);
const EVERY: Duration = Duration::from_millis(10);
/// A message that has not come after this counts as missed.
const SOON: Duration = Duration::from_secs(1);
/// How long after a missed message at the latest somebody knows that the store has to be asked.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
/// How long a node hangs: longer than the others take to give it up.
const HUNG: Duration = Duration::from_secs(15);
/// How long everything may take to be well again.
const WELL_WITHIN: Duration = Duration::from_secs(120);

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A cluster whose nodes may be harmed, and nobody else harms them meanwhile.
struct Cluster {
    uris: Vec<String>,
    program: String,
    _alone: MutexGuard<'static, ()>,
}

impl Cluster {
    async fn named() -> Option<Self> {
        let (Ok(uris), Ok(program)) = (std::env::var(CLUSTER), std::env::var(FAULT)) else {
            println!("left out: faults of a RabbitMQ cluster, set {CLUSTER} and {FAULT}");
            return None;
        };
        let uris = uris.split(',').map(str::to_owned).collect();
        Some(Self { uris, program, _alone: ONE_AT_A_TIME.lock().await })
    }

    async fn inject(&self, fault: &str, node: usize) {
        let status = tokio::process::Command::new(&self.program).arg(fault).arg(node.to_string()).status();
        assert!(status.await.unwrap().success(), "{fault} {node}");
    }

    /// Two nodes that reach the cluster as through a service: any connection may go to any node.
    async fn talk(&self, kind: QueueType) -> Talk {
        let broker = Broker::at(&self.uris[0], RoutingMode::Channel).with_queues(kind);
        broker.declare().await;
        let targets = self.uris.iter().map(|uri| Broker::at(uri, RoutingMode::Channel).address());
        let proxy = Proxy::to_any(targets.collect()).await;
        let mut ends = [(); 2].map(|()| None);
        for (end, name) in ends.iter_mut().zip(["one", "two"]) {
            let mut bus = broker.start_with(name, |credentials| proxy.replace(credentials));
            bus.connected().await;
            bus.follow(CHANNEL).await;
            *end = Some(bus);
        }
        Talk::between(ends.map(Option::unwrap), broker)
    }
}

/// What was said, what was heard, and who knew that something may be missing.
struct Talk {
    ends: [End; 2],
    broker: Broker,
    published: Vec<Instant>,
    arrived: [BTreeMap<u64, u32>; 2],
    connected: [Vec<Instant>; 2],
    doubted: Vec<Instant>,
    reasons: Vec<String>,
}

impl Talk {
    fn between(ends: [End; 2], broker: Broker) -> Self {
        let (arrived, connected) = Default::default();
        Self { ends, broker, published: vec![], arrived, connected, doubted: vec![], reasons: vec![] }
    }

    async fn go_on(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            for end in &self.ends {
                self.published.push(Instant::now());
                let audience = Audience::Channel { id: CHANNEL, members: &[] };
                end.bus.publish(&to_everyone(self.published.len() as u64), audience);
            }
            // What a node knew as it published; a moment later it may be well again.
            self.look();
            tokio::time::sleep(EVERY).await;
        }
        self.look();
    }

    fn look(&mut self) {
        for (nth, end) in self.ends.iter_mut().enumerate() {
            while let Ok(received) = end.received.try_recv() {
                match received {
                    Received::Envelope(envelope) => {
                        *self.arrived[nth].entry(number_of(&envelope)).or_default() += 1;
                    }
                    Received::Connected => self.connected[nth].push(Instant::now()),
                    Received::Listening(_) => {}
                }
            }
            if let Dependency::Unreachable { reason } = end.bus.health() {
                self.doubted.push(Instant::now());
                if !self.reasons.contains(&reason) {
                    self.reasons.push(reason);
                }
            }
        }
    }

    /// Goes on until both nodes hear everything again and doubt nothing.
    async fn become_well(&mut self) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < WELL_WITHIN {
            let first = self.published.len() as u64 + 1;
            self.go_on(SOON).await;
            tokio::time::sleep(SOON).await;
            self.look();
            let last = self.published.len() as u64;
            let heard = self.arrived.iter().all(|arrived| (first..=last).all(|n| arrived.contains_key(&n)));
            let well = self.ends.iter().all(|end| end.bus.health() == Dependency::Reachable);
            if heard && well {
                return begun.elapsed();
            }
        }
        panic!("not well again: {:?}", self.ends.each_ref().map(|end| end.bus.health()));
    }

    /// Whatever was missed, somebody knew; nothing came twice.
    async fn end(self, what: &str) {
        let (mut missed, mut unnoticed) = (0, Vec::new());
        for (arrived, connected) in self.arrived.iter().zip(&self.connected) {
            for (number, at) in (1..).zip(&self.published).filter(|(number, _)| !arrived.contains_key(number))
            {
                missed += 1;
                let around = |other: &&Instant| **other + SOON >= *at && **other <= *at + NOTICED_WITHIN;
                if !self.doubted.iter().chain(connected).any(|other| around(&other)) {
                    unnoticed.push(number);
                }
            }
            let twice: Vec<_> = arrived.iter().filter(|(_, count)| **count > 1).collect();
            assert!(twice.is_empty(), "{what}: came twice: {twice:?}");
        }
        println!("{what}: {} published, {missed} missed; {:?}", self.published.len(), self.reasons);
        assert!(unnoticed.is_empty(), "{what}: missed and nobody knew: {unnoticed:?}");
        for end in &self.ends {
            end.bus.leave().await;
        }
        self.broker.delete().await;
    }
}

/// Two nodes that talk over each kind of queue.
struct Talks<'a> {
    cluster: &'a Cluster,
    talks: Vec<(QueueType, Talk)>,
}

impl<'a> Talks<'a> {
    async fn begin(cluster: &'a Cluster) -> Self {
        let talk = async |kind| (kind, cluster.talk(kind).await);
        let talks = join_all([QueueType::Classic, QueueType::Quorum].map(talk)).await;
        let mut talks = Self { cluster, talks };
        talks.go_on(Duration::from_secs(2)).await;
        talks
    }

    async fn go_on(&mut self, length: Duration) {
        join_all(self.talks.iter_mut().map(|(_, talk)| talk.go_on(length))).await;
    }

    /// Does this to a broker node, and goes on until all is well.
    async fn become_well_after(&mut self, fault: &str, node: usize) {
        self.cluster.inject(fault, node).await;
        let well = async |(kind, talk): &mut (QueueType, Talk)| (*kind, talk.become_well().await);
        let took = join_all(self.talks.iter_mut().map(well)).await;
        println!("{fault} {node}: well after {took:?}");
    }

    async fn end(self, what: &str) {
        for (kind, talk) in self.talks {
            talk.end(&format!("{what}, {kind:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_broker_node_that_dies_is_not_needed_and_what_was_missed_is_known() {
    let Some(cluster) = Cluster::named().await else { return };
    for node in 1..=cluster.uris.len() {
        let mut talks = Talks::begin(&cluster).await;
        talks.become_well_after("kill", node).await;
        talks.become_well_after("start", node).await;
        talks.end(&format!("kill {node}")).await;
    }
}

#[tokio::test]
async fn a_broker_node_that_hangs_is_left_and_what_was_missed_is_known() {
    let Some(cluster) = Cluster::named().await else { return };
    for node in 1..=cluster.uris.len() {
        let mut talks = Talks::begin(&cluster).await;
        cluster.inject("pause", node).await;
        talks.go_on(HUNG).await;
        talks.become_well_after("resume", node).await;
        talks.end(&format!("pause {node}")).await;
    }
}

#[tokio::test]
async fn a_broker_that_takes_no_publishes_is_noticed_and_the_connection_survives_it() {
    let Some(cluster) = Cluster::named().await else { return };
    let mut talk = cluster.talk(QueueType::Classic).await;
    talk.go_on(Duration::from_secs(1)).await;
    cluster.inject("block", 1).await;
    let begun = Instant::now();
    while talk.ends.iter().any(|end| end.bus.health() == Dependency::Reachable) {
        assert!(begun.elapsed() < Duration::from_secs(5), "the block goes unnoticed");
        talk.go_on(EVERY).await;
    }
    let noticed = begun.elapsed();
    let connects = talk.connected.each_ref().map(Vec::len);
    talk.go_on(Duration::from_secs(12)).await;
    cluster.inject("unblock", 1).await;
    let took = talk.become_well().await;
    assert_eq!(talk.connected.each_ref().map(Vec::len), connects, "no connection was made anew");
    talk.end(&format!("block, noticed after {noticed:?}, well {took:?} after the end")).await;
}

//! Faults. Every run has some kinds of them and not others, so that a rare kind is not always drowned by the common.

use std::sync::Arc;
use std::time::Duration;

use chat_node::drain::Plan;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, SKEW_MS};
use crate::dice::Dice;
use crate::flaw::Flaw;
use crate::life::Life;
use crate::network::Link;
use crate::operator::Operator;
use crate::trace::{Event, NodeId};
use crate::weather::Weather;
use crate::world::World;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Crash,
    Drain,
    Pause,
    MoreNodes,
    StoreDown,
    StoreCutOff,
    StoreFails,
    StoreLate,
    StoreSlow,
    StoreStalls,
    StoreTorn,
    StoreClock,
    BusLoses,
    BusRepeats,
    BusSlow,
    BusNacks,
    BusHangs,
    Deaf,
    Away,
    Apart,
    Repartition,
    Clock,
    WiresSlow,
}

const KINDS: [Kind; 23] = [
    Kind::Crash,
    Kind::Drain,
    Kind::Pause,
    Kind::MoreNodes,
    Kind::StoreDown,
    Kind::StoreCutOff,
    Kind::StoreFails,
    Kind::StoreLate,
    Kind::StoreSlow,
    Kind::StoreStalls,
    Kind::StoreTorn,
    Kind::StoreClock,
    Kind::BusLoses,
    Kind::BusRepeats,
    Kind::BusSlow,
    Kind::BusNacks,
    Kind::BusHangs,
    Kind::Deaf,
    Kind::Away,
    Kind::Apart,
    Kind::Repartition,
    Kind::Clock,
    Kind::WiresSlow,
];
/// Nodes at a time.
const NODES_MAX: usize = 6;

pub struct Chaos {
    cluster: Arc<Cluster>,
    operator: Arc<Operator>,
    dice: Dice,
    kinds: Vec<Kind>,
    /// Longest pause between two faults, in ms.
    pace_ms: u64,
}

impl Chaos {
    pub fn new(cluster: &Arc<Cluster>) -> Self {
        let dice = cluster.world.dice.fork();
        let share = 0.1 + 0.6 * dice.with(fastrand::Rng::f64);
        let needed = cluster.world.flaw.map_or(&[][..], Flaw::shows_in);
        let kinds = KINDS.into_iter().filter(|kind| dice.happens(share) | needed.contains(kind)).collect();
        let pace_ms = 500 << dice.up_to(4);
        Self { cluster: Arc::clone(cluster), operator: Operator::new(cluster), dice, kinds, pace_ms }
    }

    /// A node with a clock as wrong as the run allows.
    pub fn start_node(&self) {
        self.cluster.start(self.ahead_ms());
    }

    /// Lets things happen until the run has gone wrong or for so long.
    pub async fn run(&self, duration: Duration) {
        let world = self.world();
        world.trace.note(Event::Fault(format!("{:?}", self.kinds)));
        let end = Instant::now() + duration;
        while Instant::now() < end && world.oracle.violation().is_none() {
            sleep(self.dice.ms(1..self.pace_ms)).await;
            if let Some(kind) = self.dice.pick(&self.kinds) {
                world.trace.note(Event::Fault(format!("{kind:?}")));
                self.begin(*kind);
            }
            self.keep_alive();
        }
    }

    /// Ends all faults.
    pub fn heal(&self) {
        let world = self.world();
        world.trace.note(Event::Fault("none any more".to_owned()));
        *world.weather() = Weather { calm: true, ..Weather::default() };
        self.cluster.network.heal();
        for life in self.cluster.alive() {
            life.spare();
            life.resume();
        }
        self.keep_alive();
    }

    /// There is always a node, or one that starts.
    fn keep_alive(&self) {
        if self.cluster.alive().is_empty() {
            self.start_node();
        }
    }

    fn begin(&self, kind: Kind) {
        let long = self.dice.ms(100..20_000);
        let often = 0.5 * self.dice.with(fastrand::Rng::f64);
        match kind {
            Kind::Crash => self.crash(),
            Kind::Drain => self.drain(),
            Kind::Pause => self.pause(),
            Kind::MoreNodes if self.cluster.alive().len() < NODES_MAX => self.start_node(),
            Kind::MoreNodes => {}
            Kind::StoreDown => self.while_it_lasts(long, |weather| weather.store_down = true),
            Kind::StoreCutOff => self.with_node(|life| {
                let node = life.node;
                self.while_it_lasts(long * 2, move |weather| weather.cut_off.extend([node]));
            }),
            Kind::StoreFails => self.while_it_lasts(long, move |weather| weather.store_fails = often),
            Kind::StoreLate => {
                self.while_it_lasts(long, move |weather| weather.store_late = 0.1 + often / 2.0)
            }
            Kind::StoreSlow => self.while_it_lasts(long, |weather| weather.store_ms = 700),
            Kind::StoreStalls => {
                self.while_it_lasts(long * 2, move |weather| weather.store_stalls = 0.2 + often)
            }
            Kind::StoreTorn => self.while_it_lasts(long * 4, |weather| weather.store_torn = 0.8),
            Kind::StoreClock => self.world().store_clock.set_ahead(self.ahead_ms()),
            Kind::BusLoses => self.while_it_lasts(long, move |weather| weather.bus_loses = often * 2.0),
            Kind::BusRepeats => self.while_it_lasts(long, move |weather| weather.bus_repeats = often),
            Kind::BusSlow => self.while_it_lasts(long, |weather| weather.bus_ms = 3_000),
            Kind::BusNacks => self.while_it_lasts(long, move |weather| weather.bus_nacks = often),
            Kind::BusHangs => self.while_it_lasts(long, move |weather| weather.bus_hangs = often / 4.0),
            Kind::Deaf => self.cut(Link::Deaf, long),
            Kind::Away => self.cut(Link::Away, long),
            Kind::Apart => self.part(long),
            Kind::Repartition => self.operator.repartition(&self.dice),
            Kind::Clock => self.with_node(|life| self.cluster.set_clock(life.node, self.ahead_ms())),
            Kind::WiresSlow => self.while_it_lasts(long, |weather| weather.wire_ms = 800),
        }
    }

    /// Lets a node die at one of its next calls, and another one start soon.
    fn crash(&self) {
        self.with_node(|life| life.die_in(self.dice.up_to(12)));
        if self.dice.happens(0.8) {
            let (cluster, ahead_ms, delay) =
                (Arc::clone(&self.cluster), self.ahead_ms(), self.dice.ms(10..8_000));
            tokio::spawn(async move {
                sleep(delay).await;
                if cluster.alive().len() < NODES_MAX {
                    cluster.start(ahead_ms);
                }
            });
        }
    }

    fn drain(&self) {
        let window = self.dice.ms(100..8_000);
        let plan = Plan { notice: self.dice.ms(0..2_000), window, linger: Duration::from_secs(2) };
        self.with_node(|life| self.cluster.drain(life.node, plan));
        if self.cluster.alive().len() < NODES_MAX {
            self.start_node();
        }
    }

    /// Stops a node, perhaps for longer than its lease lasts.
    fn pause(&self) {
        let long = self.dice.ms(100..50_000);
        self.with_node(|life| {
            life.pause();
            let life = Arc::clone(life);
            tokio::spawn(async move {
                sleep(long).await;
                life.resume();
            });
        });
    }

    fn cut(&self, link: Link, long: Duration) {
        self.with_node(|life| {
            self.cluster.network.set_link(life.node, link);
            let (cluster, node) = (Arc::clone(&self.cluster), life.node);
            tokio::spawn(async move {
                sleep(long).await;
                cluster.network.set_link(node, Link::Up);
            });
        });
    }

    /// Parts the nodes into those that hear each other and those that do not.
    fn part(&self, long: Duration) {
        let nodes: Vec<NodeId> = self.cluster.alive().iter().map(|life| life.node).collect();
        let (one, other): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|_| self.dice.happens(0.5));
        let pairs: Vec<_> = one.iter().flat_map(|from| other.iter().map(move |to| (*from, *to))).collect();
        let both_ways = self.dice.happens(0.5);
        self.while_it_lasts(long, move |weather| {
            for (from, to) in pairs {
                weather.apart.insert((from, to));
                if both_ways {
                    weather.apart.insert((to, from));
                }
            }
        });
    }

    /// Changes the weather for a while; then all of it is fair again.
    fn while_it_lasts(&self, long: Duration, change: impl FnOnce(&mut Weather)) {
        change(&mut self.world().weather());
        let world = Arc::clone(&self.cluster.world);
        tokio::spawn(async move {
            sleep(long).await;
            let calm = world.weather().calm;
            *world.weather() = Weather { calm, ..Weather::default() };
        });
    }

    fn with_node(&self, act: impl FnOnce(&Arc<Life>)) {
        if let Some(life) = self.dice.pick(&self.cluster.alive()) {
            act(life);
        }
    }

    /// How far a clock is ahead: nothing, little, or up to an hour.
    fn ahead_ms(&self) -> i64 {
        let limit = if self.kinds.contains(&Kind::Clock) { [0, 200, SKEW_MS] } else { [0, 0, 50] };
        let limit = limit[self.dice.up_to(2) as usize];
        self.dice.with(|rng| rng.i64(-limit..=limit))
    }

    fn world(&self) -> &World {
        &self.cluster.world
    }
}

//! The bus over RabbitMQ.
//!
//! The operator declares the exchanges; a node declares one queue per connection under a name that was never used
//! before, and binds it to the control exchange and to what the routing of each ordered epoch asks for. Nothing is repaired in place: whatever goes wrong ends the connection, and a new one
//! begins from nothing. What was missed in between is found by comparing heads with the store.

mod connect;
mod consume;
mod epochs;
mod keeper;
mod link;
mod probe;
mod publish;
mod topology;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crds::exchange::ClusterKey;
use crds::node::Dependency;
use crds::topology::TopologyFault;
use crds::{RoutingMode, ServerQueue, TopologyOrder};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::connect::Credentials;
use self::epochs::Epochs;
use super::routing::{self, Route};
use super::wanted::Wanted;
use super::{Audience, Bus, Envelope, RECEIVED_MAX, Received, Topic};
use crate::ids::{ChannelId, UserId};
use crate::metrics::{Metrics, PublishFailure};

/// Publishes that may wait for the connection to take them.
const OUTGOING_MAX: usize = 8_192;
/// Longest and shortest wait before the next attempt to connect.
const BACKOFF: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(5);
/// How long the node polls the store after the broker said that a queue missed something.
const DEGRADED_AFTER_NACK: Duration = Duration::from_secs(10);

/// How long leaving may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(8);

/// What the bus needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the broker is, and who we are to it.
    pub credentials: Credentials,
    /// Prefix of the exchanges' names.
    pub cluster: ClusterKey,
    /// The partitions to begin with.
    pub topology: TopologyOrder,
    /// What the node's queue is like.
    pub queue: ServerQueue,
    /// This node's name, part of its queues' names.
    pub node: String,
}

/// Why the broker cannot be used.
#[derive(Debug, thiserror::Error)]
enum BrokerError {
    #[error("{step} took longer than {}", seconds(*.limit))]
    Timeout { step: &'static str, limit: Duration },
    #[error("{step} failed: {error}")]
    Amqp { step: &'static str, error: lapin::Error },
    #[error("the node has left")]
    Left,
    #[error("the exchange `{0}` is missing; the operator declares it")]
    MissingExchange(String),
    #[error("the broker cancelled the consumer: the queue was deleted")]
    Cancelled,
    #[error("what is published to the exchange `{0}` does not come back: it was deleted, or its binding was")]
    Deaf(String),
}

/// The bus over RabbitMQ; ends when dropped.
#[derive(Debug)]
pub struct RabbitMq {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Outgoing>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    epochs: Mutex<Epochs>,
    metrics: Arc<Metrics>,
    wanted: Mutex<Wanted>,
    changed: Notify,
    leaving: CancellationToken,
    left: watch::Sender<bool>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Away { reason: String },
    Connected { queue: String, nacked: Option<Instant> },
}

#[derive(Clone, Debug)]
struct Outgoing {
    route: Route,
    payload: Bytes,
}

impl RabbitMq {
    /// Starts to connect, and goes on for ever; and what comes out.
    ///
    /// # Errors
    /// [`TopologyFault`]: the partitions make no sense.
    pub fn start(
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, mpsc::Receiver<Received>), TopologyFault> {
        let (received_in, received) = mpsc::channel(RECEIVED_MAX);
        let (outgoing, outgoing_out) = mpsc::channel(OUTGOING_MAX);
        let shared = Arc::new(Shared {
            epochs: Mutex::new(Epochs::new(settings.topology.clone())?),
            settings,
            metrics,
            wanted: Mutex::default(),
            changed: Notify::new(),
            leaving: CancellationToken::new(),
            left: watch::Sender::new(false),
            state: Mutex::new(State::Away { reason: "the first connection is being made".to_owned() }),
        });
        let ends = link::Ends { outgoing: outgoing_out, probes: outgoing.clone(), received: received_in };
        let task = tokio::spawn(supervise(Arc::clone(&shared), ends));
        Ok((Self { shared, outgoing, task }, received))
    }

    /// The name of the queue that the node listens on; `None` while there is no connection.
    pub fn queue(&self) -> Option<String> {
        match &*self.shared.state() {
            State::Away { .. } => None,
            State::Connected { queue, .. } => Some(queue.clone()),
        }
    }

    fn hand_over(&self, route: Route, payload: &Bytes) {
        let outgoing = Outgoing { route, payload: payload.clone() };
        if self.outgoing.try_send(outgoing).is_err() {
            self.shared.metrics.publish_failed(PublishFailure::WindowFull, 1);
        }
    }

    fn want(&self, topic: Topic) {
        if self.shared.wanted().add(topic) {
            self.shared.changed.notify_one();
        }
    }

    fn unwant(&self, topic: &Topic) {
        if self.shared.wanted().remove(topic, Instant::now()) {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Bus for RabbitMq {
    fn publish(&self, envelope: &Envelope, audience: Audience<'_>) {
        if matches!(*self.shared.state(), State::Away { .. }) {
            return self.shared.metrics.publish_failed(PublishFailure::Away, 1);
        }
        let plan = self.shared.epochs().publishing();
        let payload = envelope.to_bytes();
        for route in routing::of(plan.routing).routes(plan, audience) {
            self.hand_over(route, &payload);
        }
    }

    fn attach(&self, user: &UserId) {
        self.want(Topic::User(user.clone()));
    }

    fn detach(&self, user: &UserId) {
        self.unwant(&Topic::User(user.clone()));
    }

    fn follow(&self, channel: ChannelId) {
        self.want(Topic::Channel(channel));
    }

    fn unfollow(&self, channel: ChannelId) {
        self.unwant(&Topic::Channel(channel));
    }

    fn routing(&self) -> RoutingMode {
        self.shared.epochs().publishing().routing
    }

    fn health(&self) -> Dependency {
        match &*self.shared.state() {
            State::Away { reason } => Dependency::Unreachable { reason: reason.clone() },
            State::Connected { nacked: Some(at), .. } if at.elapsed() < DEGRADED_AFTER_NACK => {
                Dependency::Unreachable { reason: "the broker says that a queue missed a message".to_owned() }
            }
            State::Connected { .. } => Dependency::Reachable,
        }
    }

    fn epochs(&self) -> Vec<u32> {
        match &*self.shared.state() {
            State::Away { .. } => Vec::new(),
            State::Connected { .. } => self.shared.epochs().bound().iter().map(|plan| plan.epoch).collect(),
        }
    }

    fn publishing(&self) -> Option<u32> {
        match &*self.shared.state() {
            State::Away { .. } => None,
            State::Connected { .. } => Some(self.shared.epochs().publishing().epoch),
        }
    }

    fn order(&self, order: TopologyOrder) -> Result<(), TopologyFault> {
        if self.shared.epochs().order(order)? {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    async fn leave(&self) {
        self.shared.leaving.cancel();
        let mut state = self.shared.left.subscribe();
        let _ = tokio::time::timeout(LEAVE_WITHIN, state.wait_for(|left| *left)).await;
        self.task.abort();
    }
}

/// Connects again and again.
async fn supervise(shared: Arc<Shared>, mut ends: link::Ends) {
    let boot = format!("{:08x}", fastrand::u32(..));
    let mut backoff = BACKOFF.start;
    for number in 1_u64.. {
        let queue = topology::queue_name(&shared.settings.node, &boot, number);
        let begun = Instant::now();
        shared.epochs().begin();
        let error = link::run(&shared, &mut ends, &queue).await;
        shared.away(&error.to_string());
        if shared.leaving.is_cancelled() {
            break;
        }
        if begun.elapsed() > BACKOFF.end * 2 {
            backoff = BACKOFF.start;
        }
        tokio::time::sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        backoff = (backoff * 2).min(BACKOFF.end);
    }
    shared.left.send_replace(true);
}

impl Shared {
    fn away(&self, reason: &str) {
        let mut state = self.state();
        if !matches!(&*state, State::Away { reason: known } if known == reason) {
            tracing::warn!(reason, "the broker is away; the store is polled instead");
        }
        *state = State::Away { reason: reason.to_owned() };
    }

    fn connected(&self, queue: &str) {
        *self.state() = State::Connected { queue: queue.to_owned(), nacked: None };
    }

    fn nacked(&self) {
        self.metrics.publish_failed(PublishFailure::Nack, 1);
        if let State::Connected { nacked, .. } = &mut *self.state() {
            *nacked = Some(Instant::now());
        }
    }

    fn epochs(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

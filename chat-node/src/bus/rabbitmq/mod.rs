//! The bus over RabbitMQ.
//!
//! The operator declares the exchanges; a node declares one queue per connection under a name that was never used
//! before, and binds it to the control exchange and to what the routing of each ordered epoch asks for. Hardly
//! anything is repaired in place: whatever goes wrong with the epoch that is published to ends the connection, and a
//! new one begins from nothing. What was missed in between is found by comparing heads with the store.

mod connect;
mod consume;
mod epoch;
mod epochs;
mod keeper;
mod link;
mod outgoing;
mod probe;
mod publish;
mod retire;
mod shared;
mod topology;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crds::exchange::ClusterKey;
use crds::node::Dependency;
use crds::topology::TopologyFault;
use crds::{RoutingMode, ServerQueue, TopologyOrder};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use self::connect::Credentials;
use self::shared::Shared;
use super::routing;
use super::{Audience, Bus, Envelope, RECEIVED_MAX, Received, Topic};
use crate::ids::{ChannelId, UserId};
use crate::metrics::{Metrics, PublishFailure};

/// Longest and shortest wait before the next attempt to connect.
const BACKOFF: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(5);
/// How long what was published may take to be confirmed when the node goes.
const DRAIN_WITHIN: Duration = Duration::from_secs(3);
/// How long unbinding may take when the node goes.
const UNBIND_WITHIN: Duration = Duration::from_secs(8);

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
    #[error("the exchange `{0}` is missing; the operator declares it")]
    MissingExchange(String),
    #[error("the broker cancelled the consumer: the queue was deleted")]
    Cancelled,
    #[error(
        "what is published to the exchange `{0}` does not come back: it or its binding was deleted, or the broker hangs"
    )]
    Deaf(String),
    #[error("the node has left")]
    Left,
}

/// The bus over RabbitMQ; ends when dropped.
#[derive(Debug)]
pub struct RabbitMq {
    shared: Arc<Shared>,
    outgoing: outgoing::Sender,
    task: JoinHandle<()>,
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
        let (outgoing, outgoing_out) = outgoing::queue(metrics.publish_queue_bytes.clone());
        let shared = Arc::new(Shared::new(settings, metrics)?);
        let ends = link::Ends {
            outgoing: outgoing_out,
            probes: outgoing.clone(),
            received: received_in,
            leftovers: Vec::new(),
        };
        let task = tokio::spawn(supervise(Arc::clone(&shared), ends));
        Ok((Self { shared, outgoing, task }, received))
    }

    /// The name of the queue that the node listens on; `None` while there is no connection.
    pub fn queue(&self) -> Option<String> {
        self.shared.queue()
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
        if !self.shared.is_publishing() {
            return self.shared.metrics.publish_failed(PublishFailure::Away, 1);
        }
        let (plan, underway) = self.shared.epochs().publishing();
        let payload = envelope.to_bytes();
        for route in routing::of(plan.routing).routes(plan, audience) {
            if self.outgoing.offer(route, payload.clone(), Some(Arc::clone(&underway))).is_err() {
                self.shared.metrics.publish_failed(PublishFailure::WindowFull, 1);
                self.shared.doubt("more is published than the broker takes");
            }
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
        self.shared.epochs().publishing().0.routing
    }

    fn health(&self) -> Dependency {
        self.shared.health()
    }

    fn epochs(&self) -> Vec<u32> {
        self.shared.epochs().bound().iter().map(|plan| plan.epoch).collect()
    }

    fn publishing(&self) -> Option<u32> {
        self.shared.epochs().settled().filter(|_| self.shared.is_publishing())
    }

    fn order(&self, order: TopologyOrder) -> Result<(), TopologyFault> {
        if self.shared.epochs().order(order)? {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    async fn leave(&self) {
        if self.shared.is_publishing() {
            let _ = tokio::time::timeout(DRAIN_WITHIN, self.outgoing.drained()).await;
            self.shared.leaving.cancel();
            let _ = tokio::time::timeout(UNBIND_WITHIN, self.shared.left.cancelled()).await;
        }
        self.task.abort();
        self.shared.away(&BrokerError::Left.to_string());
    }
}

/// Connects again and again, until the node leaves.
async fn supervise(shared: Arc<Shared>, mut ends: link::Ends) {
    let boot = format!("{:08x}", fastrand::u32(..));
    let mut backoff = BACKOFF.start;
    for number in 1_u64.. {
        let queue = topology::queue_name(&shared.settings.node, &boot, number);
        let begun = Instant::now();
        let error = link::run(&shared, &mut ends, &queue).await;
        shared.away(&error.to_string());
        if begun.elapsed() > BACKOFF.end * 2 {
            backoff = BACKOFF.start;
        }
        if shared.leaving.is_cancelled() {
            return shared.left.cancel();
        }
        tokio::time::sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        backoff = (backoff * 2).min(BACKOFF.end);
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

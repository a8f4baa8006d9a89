//! A real RabbitMQ, with exchanges for one test.

use std::sync::Arc;
use std::time::Duration;

use chat_node::bus::rabbitmq::{Credentials, RabbitMq, Settings};
use chat_node::bus::{Bus, Received};
use chat_node::metrics::Metrics;
use crds::exchange::ClusterKey;
use crds::node::Dependency;
use crds::{QueueType, RoutingMode, ServerQueue, TopologyOrder, TopologyPlan};
use lapin::options::{
    BasicPublishOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::conformance::{End, Listens};

const URI: &str = "VT_TEST_RABBITMQ_URI";
/// How long a broker may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// The broker, as the operator would use it.
pub struct Broker {
    pub cluster: ClusterKey,
    uri: AMQPUri,
    pub plan: TopologyPlan,
    pub queue: ServerQueue,
}

impl Broker {
    /// The broker with a cluster's exchanges; `None`, and a line that says so: no broker is named.
    pub async fn declared(partitions: u16) -> Option<Self> {
        Self::routed(RoutingMode::User, partitions).await
    }

    pub async fn routed(mode: RoutingMode, partitions: u16) -> Option<Self> {
        let mut broker = Self::without_exchanges(partitions).await?;
        broker.plan.routing = mode;
        broker.declare().await;
        Some(broker)
    }

    /// With server queues of this type.
    pub fn with_queues(mut self, kind: QueueType) -> Self {
        self.queue.kind = kind;
        self
    }

    pub async fn without_exchanges(partitions: u16) -> Option<Self> {
        let Ok(uri) = std::env::var(URI) else {
            println!("left out: RabbitMQ, set {URI}");
            return None;
        };
        let broker = Self::at(&uri, RoutingMode::User);
        Some(Self { plan: TopologyPlan { partitions, ..broker.plan }, ..broker })
    }

    /// The broker at an address, for a cluster of its own, with four partitions that nobody has declared yet.
    pub fn at(uri: &str, routing: RoutingMode) -> Self {
        let cluster = ClusterKey::new("test", &format!("{:016x}", fastrand::u64(..)));
        let plan = TopologyPlan { epoch: 1, partitions: 4, routing };
        Self { cluster, uri: uri.parse().unwrap(), plan, queue: ServerQueue::default() }
    }

    async fn channel(&self) -> (Connection, Channel) {
        let begun = Instant::now();
        loop {
            match self.try_channel().await {
                Ok(both) => return both,
                // A broker that has just come back does not take everybody at once.
                Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn try_channel(&self) -> lapin::Result<(Connection, Channel)> {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }

    /// A node's bus that is connected.
    pub async fn connected(&self, node: &str) -> End {
        let mut end = self.start(node);
        end.connected().await;
        end
    }

    pub fn start(&self, node: &str) -> End {
        self.start_with(node, |_| {})
    }

    pub fn start_with(&self, node: &str, change: impl Fn(&mut Credentials)) -> End {
        let (bus, received) = self.start_itself(node, change);
        End { bus: Arc::new(bus), received, listens: Listens::Later }
    }

    pub fn start_itself(
        &self,
        node: &str,
        change: impl Fn(&mut Credentials),
    ) -> (RabbitMq, mpsc::Receiver<Received>) {
        self.start_counted(node, &Arc::new(Metrics::new().unwrap()), change)
    }

    pub fn start_counted(
        &self,
        node: &str,
        metrics: &Arc<Metrics>,
        change: impl Fn(&mut Credentials),
    ) -> (RabbitMq, mpsc::Receiver<Received>) {
        RabbitMq::start(self.settings(node, change), Arc::clone(metrics)).unwrap()
    }

    pub fn settings(&self, node: &str, change: impl Fn(&mut Credentials)) -> Settings {
        let AMQPUri { authority, vhost, .. } = self.uri.clone();
        let mut credentials = Credentials {
            host: authority.host,
            port: authority.port,
            username: authority.userinfo.username,
            password: authority.userinfo.password,
            vhost,
        };
        change(&mut credentials);
        Settings {
            credentials,
            cluster: self.cluster.clone(),
            topology: TopologyOrder::of(self.plan),
            queue: self.queue,
            node: node.to_owned(),
        }
    }

    pub async fn declare(&self) {
        self.declare_epoch(self.plan).await;
        let control = std::iter::once(self.cluster.control());
        self.declare_all(control, ExchangeKind::Fanout).await;
    }

    pub async fn declare_epoch(&self, plan: TopologyPlan) {
        self.declare_all(self.partitions(plan), ExchangeKind::Direct).await;
    }

    async fn declare_all(&self, names: impl Iterator<Item = String>, kind: ExchangeKind) {
        let (_connection, channel) = self.channel().await;
        let options = ExchangeDeclareOptions::default();
        for name in names {
            let (name, kind) = (name.into(), kind.clone());
            channel.exchange_declare(name, kind, options, FieldTable::default()).await.unwrap();
        }
    }

    /// Deletes the exchanges; every test does so at its end.
    pub async fn delete(&self) {
        self.delete_all(std::iter::once(self.cluster.control()), false).await;
        self.delete_all(self.partitions(self.plan), false).await;
    }

    /// Deletes an epoch's exchanges; fails if anything is still bound to one of them.
    pub async fn delete_unused_epoch(&self, plan: TopologyPlan) {
        self.delete_all(self.partitions(plan), true).await;
    }

    /// Fails if anything is still bound to one of the exchanges.
    pub async fn delete_unused(&self) {
        self.delete_all(std::iter::once(self.cluster.control()), true).await;
        self.delete_unused_epoch(self.plan).await;
    }

    async fn delete_all(&self, names: impl Iterator<Item = String>, if_unused: bool) {
        let options = ExchangeDeleteOptions { if_unused, ..ExchangeDeleteOptions::default() };
        let (_connection, channel) = self.channel().await;
        for name in names {
            channel.exchange_delete(name.into(), options).await.unwrap();
        }
    }

    /// Whether there is a queue of this name that anybody may use.
    pub async fn has_queue(&self, name: &str) -> bool {
        let (_connection, channel) = self.channel().await;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), options, FieldTable::default()).await.is_ok()
    }

    /// Publishes bytes to all nodes, whatever they are.
    pub async fn publish(&self, bytes: &[u8]) {
        let (_connection, channel) = self.channel().await;
        let (control, options) = (self.cluster.control(), BasicPublishOptions::default());
        let published =
            channel.basic_publish(control.into(), "".into(), options, bytes, BasicProperties::default());
        published.await.unwrap();
        // It was taken once the broker answers on the same channel.
        channel.close(200, "done".into()).await.unwrap();
    }

    /// Host and port of the broker.
    pub fn address(&self) -> String {
        let AMQPUri { authority, .. } = &self.uri;
        format!("{}:{}", authority.host, authority.port)
    }

    fn partitions(&self, plan: TopologyPlan) -> impl Iterator<Item = String> {
        (0..plan.partitions).map(move |partition| self.cluster.partition(plan.epoch, partition))
    }
}

/// Waits until the bus is healthy.
pub async fn healthy(bus: &dyn Bus) {
    wait_until(|| bus.health() == Dependency::Reachable, || format!("{:?}", bus.health())).await;
}

/// Waits until it is so, half a minute at most; `what` says what was so instead.
pub async fn wait_until(is_so: impl Fn() -> bool, what: impl Fn() -> String) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{}", what());
}

/// Waits until the bus is away for a reason with these words; gives the reason.
pub async fn reason_with(bus: &dyn Bus, words: &str) -> String {
    for _ in 0..600 {
        match bus.health() {
            Dependency::Unreachable { reason } if reason.contains(words) => return reason,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("no reason with `{words}`: {:?}", bus.health())
}

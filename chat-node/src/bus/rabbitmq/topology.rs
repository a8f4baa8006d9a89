//! Exchanges, the node's queue, and what binds them.

use crds::TopologyPlan;
use crds::exchange::ClusterKey;
use futures::{StreamExt, TryStreamExt, stream};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind, ExchangeKind};

use super::BrokerError;
use super::connect::{Channels, step};
use crate::bus::partition;
use crate::ids::UserId;

/// What may wait in a node's queue, in bytes; the oldest is dropped beyond it, and found in the store.
const QUEUE_MAX_BYTES: i64 = 64 * 1024 * 1024;
/// AMQP's reply code for something that does not exist.
const NOT_FOUND: u16 = 404;

/// The names of the exchanges in use.
#[derive(Debug)]
pub(super) struct Exchanges {
    control: String,
    partitions: Vec<String>,
}

impl Exchanges {
    pub fn new(cluster: &ClusterKey, plan: TopologyPlan) -> Self {
        let partitions = (0..plan.partitions.max(1)).map(|p| cluster.partition(plan.epoch, p)).collect();
        Self { control: cluster.control(), partitions }
    }

    /// The fanout exchange for every node.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// The direct exchange of a user's partition.
    pub fn of_user(&self, user: &UserId) -> &str {
        let count = u16::try_from(self.partitions.len()).unwrap_or(u16::MAX);
        &self.partitions[usize::from(partition::of_user(user, count))]
    }

    /// All of them, the control exchange first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.control.as_str()).chain(self.partitions.iter().map(String::as_str))
    }

    /// The `n`th of all, beginning anew at the end.
    pub fn nth(&self, n: usize) -> &str {
        match n % (self.partitions.len() + 1) {
            0 => &self.control,
            partition => &self.partitions[partition - 1],
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.partitions.len() + 1
    }
}

/// A name that no connection has had before, shorter than AMQP's 255 bytes.
pub(super) fn queue_name(node: &str, boot: &str, connection: u64) -> String {
    let node: String = node.chars().filter(char::is_ascii).take(100).collect();
    format!("srv.{node}.{boot}.{connection}")
}

/// Makes sure that the exchanges are there, declares the node's queue and binds it to each of them, with its own
/// name as key: the key of its probes.
pub(super) async fn declare(
    channels: &Channels,
    exchanges: &Exchanges,
    queue: &str,
) -> Result<(), BrokerError> {
    for name in exchanges.all() {
        check(&channels.consume, name).await?;
    }
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    step("declaring the queue", channels.consume.queue_declare(queue.into(), options, arguments())).await?;
    stream::iter(exchanges.all().zip(channels.bind.iter().cycle()))
        .map(Ok)
        .try_for_each_concurrent(channels.bind.len(), |(name, channel)| bind(channel, queue, (name, queue)))
        .await
}

/// Binds or unbinds users, several at a time.
pub(super) async fn rebind(
    channels: &[Channel],
    exchanges: &Exchanges,
    queue: &str,
    users: Vec<(UserId, bool)>,
) -> Result<(), BrokerError> {
    stream::iter(users.into_iter().zip(channels.iter().cycle()))
        .map(Ok)
        .try_for_each_concurrent(channels.len(), |((user, wanted), channel)| async move {
            let exchange = exchanges.of_user(&user);
            if wanted {
                bind(channel, queue, (exchange, user.as_str())).await
            } else {
                let unbound = channel.queue_unbind(
                    queue.into(),
                    exchange.into(),
                    user.as_str().into(),
                    FieldTable::default(),
                );
                step("unbinding a user", unbound).await
            }
        })
        .await
}

async fn bind(channel: &Channel, queue: &str, to: (&str, &str)) -> Result<(), BrokerError> {
    let (exchange, key) = to;
    let options = QueueBindOptions::default();
    let bound = channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default());
    step("binding", bound).await.map_err(|error| name_missing(error, exchange))
}

/// A passive declare: only asks whether the exchange exists.
async fn check(channel: &Channel, exchange: &str) -> Result<(), BrokerError> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare(exchange.into(), ExchangeKind::Direct, options, FieldTable::default());
    step("checking an exchange", declared).await.map_err(|error| name_missing(error, exchange))
}

fn name_missing(error: BrokerError, exchange: &str) -> BrokerError {
    match &error {
        BrokerError::Amqp { error: amqp, .. } if is_not_found(amqp) => {
            BrokerError::MissingExchange(exchange.to_owned())
        }
        _ => error,
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}

fn arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(QUEUE_MAX_BYTES));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_an_exchange_and_every_exchange_has_its_turn() {
        let cluster = ClusterKey::new("demo", "chat");
        let exchanges = Exchanges::new(&cluster, TopologyPlan { epoch: 1, partitions: 4 });
        let ada: UserId = "ada".parse().unwrap();
        assert!(exchanges.of_user(&ada).starts_with("vt.demo.chat.1."));
        let turns: Vec<_> = (0..exchanges.count()).map(|n| exchanges.nth(n)).collect();
        assert_eq!(turns, exchanges.all().collect::<Vec<_>>());
        assert_eq!(turns[0], "vt.demo.chat.control");
    }

    #[test]
    fn queue_names_fit_whatever_the_host_is_called() {
        let name = queue_name(&"ü-host".repeat(60), "00c0ffee", u64::MAX);
        assert!(name.is_ascii() && name.len() < 255, "{name}");
        assert_eq!(queue_name("n1", "00c0ffee", 3), "srv.n1.00c0ffee.3");
    }
}

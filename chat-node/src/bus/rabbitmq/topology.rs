//! The node's queue, and what binds it to the exchanges.

use crds::exchange::ClusterKey;
use crds::{QueueType, ServerQueue};
use futures::{StreamExt, TryStreamExt, stream};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::BrokerError;
use super::connect::{self, step};
use crate::bus::routing::{Exchange, Route};

/// AMQP's reply code for something that does not exist.
const NOT_FOUND: u16 = 404;

/// Requests that are under way on one channel: the broker takes them one after the other, and without waiting for
/// our next one in between.
const PER_CHANNEL: usize = 32;

/// A name that no connection has had before, shorter than AMQP's 255 bytes.
pub(super) fn queue_name(node: &str, boot: &str, connection: u64) -> String {
    let node: String = node.chars().filter(char::is_ascii).take(100).collect();
    format!("srv.{node}.{boot}.{connection}")
}

/// Declares the node's queue. It belongs to no connection and expires instead: nobody may delete an exclusive queue whose
/// broker node has died, and as long as it is there every publish that is for it is refused.
pub(super) async fn declare(channel: &Channel, name: &str, queue: ServerQueue) -> Result<(), BrokerError> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(name.into(), options, arguments(queue));
    step("declaring the queue", declared).await.map(drop)
}

/// Deletes a queue.
pub(super) async fn delete(connection: &Connection, name: &str) -> Result<(), BrokerError> {
    let channel = connect::channel(connection).await?;
    let deleted = channel.queue_delete(name.into(), QueueDeleteOptions::default());
    step("deleting the queue", deleted).await.map(drop)
}

fn arguments(queue: ServerQueue) -> FieldTable {
    let kind = match queue.kind {
        QueueType::Classic => "classic",
        QueueType::Quorum => "quorum",
    };
    let number = |number: u64| AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX));
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
    arguments.insert("x-max-length-bytes".into(), number(queue.max_bytes));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    arguments.insert("x-expires".into(), number(queue.expires.as_millis()));
    arguments
}

/// Binds one queue, several routes at a time.
pub(super) struct Binder<'a> {
    pub channels: &'a [Channel],
    pub cluster: &'a ClusterKey,
    pub queue: &'a str,
}

impl Binder<'_> {
    /// Makes sure that exchanges are there.
    pub async fn check(&self, exchanges: impl Iterator<Item = Exchange>) -> Result<(), BrokerError> {
        self.spread(exchanges, |channel, exchange| self.check_one(channel, exchange)).await
    }

    /// Binds the queue; what is bound already stays so.
    pub async fn bind(&self, routes: Vec<Route>) -> Result<(), BrokerError> {
        self.spread(routes, |channel, route| self.bind_one(channel, route)).await
    }

    /// Unbinds the queue; what is not bound stays so.
    pub async fn unbind(&self, routes: Vec<Route>) -> Result<(), BrokerError> {
        self.spread(routes, |channel, route| self.unbind_one(channel, route)).await
    }

    async fn spread<'b, T, F>(
        &'b self,
        work: impl IntoIterator<Item = T>,
        each: impl Fn(&'b Channel, T) -> F,
    ) -> Result<(), BrokerError>
    where
        F: Future<Output = Result<(), BrokerError>>,
    {
        stream::iter(work.into_iter().zip(self.channels.iter().cycle()))
            .map(Ok)
            .try_for_each_concurrent(self.channels.len() * PER_CHANNEL, |(item, channel)| each(channel, item))
            .await
    }

    /// A passive declare: only asks whether the exchange exists.
    async fn check_one(&self, channel: &Channel, exchange: Exchange) -> Result<(), BrokerError> {
        let name = exchange.name(self.cluster);
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Direct;
        let declared = channel.exchange_declare(name.as_str().into(), kind, options, FieldTable::default());
        step("checking an exchange", declared).await.map_err(|error| name_missing(error, &name))
    }

    async fn bind_one(&self, channel: &Channel, route: Route) -> Result<(), BrokerError> {
        let name = route.exchange.name(self.cluster);
        let key = route.key.text();
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        let bound = channel.queue_bind(
            self.queue.into(),
            name.as_str().into(),
            key.as_ref().into(),
            options,
            arguments,
        );
        step("binding", bound).await.map_err(|error| name_missing(error, &name))
    }

    async fn unbind_one(&self, channel: &Channel, route: Route) -> Result<(), BrokerError> {
        let name = route.exchange.name(self.cluster);
        let key = route.key.text();
        let arguments = FieldTable::default();
        let unbound =
            channel.queue_unbind(self.queue.into(), name.as_str().into(), key.as_ref().into(), arguments);
        step("unbinding", unbound).await
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_names_fit_whatever_the_host_is_called() {
        let name = queue_name(&"ü-host".repeat(60), "00c0ffee", u64::MAX);
        assert!(name.is_ascii() && name.len() < 255, "{name}");
        assert_eq!(queue_name("n1", "00c0ffee", 3), "srv.n1.00c0ffee.3");
    }
}

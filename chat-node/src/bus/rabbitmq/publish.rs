//! Publishing with confirms, a bounded number at a time.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::mpsc;

use super::connect::STEP;
use super::outgoing::{Held, Outgoing};
use super::{BrokerError, Shared};
use crate::metrics::PublishFailure;

/// Publishes that may wait for their confirms.
const WINDOW: usize = 1_024;
/// How long a confirm may take before the node polls the store as well.
const LATE: Duration = Duration::from_secs(2);
/// A message that need not survive the broker: the store has it.
const TRANSIENT: u8 = 1;

/// Publishes what comes until something goes wrong, and says what.
pub(super) async fn run(
    channel: &Channel,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    shared: &Shared,
) -> BrokerError {
    let mut unconfirmed = FuturesUnordered::new();
    let error = loop {
        tokio::select! {
            Some(outcome) = unconfirmed.next() => match outcome {
                Ok(Confirmation::Nack(_)) => shared.nacked(),
                Ok(_) => {}
                Err(error) => break error,
            },
            next = outgoing.recv(), if unconfirmed.len() < WINDOW => match next {
                Some(next) => match publish(channel, next, shared).await {
                    Ok((confirm, held)) => unconfirmed.push(confirmed(confirm, held, shared)),
                    Err(error) => break error,
                },
                None => std::future::pending().await,
            },
        }
    };
    shared.metrics.publish_failed(PublishFailure::Unconfirmed, unconfirmed.len() + 1);
    error
}

async fn publish(
    channel: &Channel,
    outgoing: Outgoing,
    shared: &Shared,
) -> Result<(PublisherConfirm, Held), BrokerError> {
    let Outgoing { route, payload, held } = outgoing;
    let properties = BasicProperties::default().with_delivery_mode(TRANSIENT);
    let options = BasicPublishOptions::default();
    let (exchange, key) = (route.exchange.name(&shared.settings.cluster), route.key.text());
    let published =
        channel.basic_publish(exchange.as_str().into(), key.as_ref().into(), options, &payload, properties);
    Ok((unless_blocked("publishing", published, shared).await?, held))
}

async fn confirmed(
    confirm: PublisherConfirm,
    _held: Held,
    shared: &Shared,
) -> Result<Confirmation, BrokerError> {
    let mut confirm = std::pin::pin!(confirm);
    if let Ok(outcome) = tokio::time::timeout(LATE, &mut confirm).await {
        return outcome.map_err(|error| BrokerError::Amqp { step: "publishing", error });
    }
    shared.doubt("the broker takes long to confirm what is published");
    unless_blocked("a confirm", confirm, shared).await
}

/// Awaits a step, at most [`STEP`] and as long as the broker takes no publishes: it has said so, and will say when it
/// takes them again.
async fn unless_blocked<T>(
    step: &'static str,
    future: impl Future<Output = lapin::Result<T>>,
    shared: &Shared,
) -> Result<T, BrokerError> {
    let mut future = std::pin::pin!(future);
    loop {
        match tokio::time::timeout(STEP, &mut future).await {
            Ok(outcome) => return outcome.map_err(|error| BrokerError::Amqp { step, error }),
            Err(_) if shared.is_blocked() => {}
            Err(_) => return Err(BrokerError::Timeout { step, limit: STEP }),
        }
    }
}

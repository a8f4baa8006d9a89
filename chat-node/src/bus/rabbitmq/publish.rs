//! Publishing with confirms, a bounded number at a time.

use std::time::Duration;

use crds::exchange::ClusterKey;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::mpsc;

use super::connect::step;
use super::{BrokerError, Outgoing, Shared};
use crate::metrics::PublishFailure;

/// Publishes that may wait for their confirms.
const WINDOW: usize = 1_024;
/// How long a confirm may take.
const CONFIRM: Duration = Duration::from_secs(5);
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
                Some(next) => match publish(channel, next, &shared.settings.cluster).await {
                    Ok(confirm) => unconfirmed.push(confirmed(confirm)),
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
    cluster: &ClusterKey,
) -> Result<PublisherConfirm, BrokerError> {
    let Outgoing { route, payload } = outgoing;
    let properties = BasicProperties::default().with_delivery_mode(TRANSIENT);
    let options = BasicPublishOptions::default();
    let (exchange, key) = (route.exchange.name(cluster), route.key.text());
    let published =
        channel.basic_publish(exchange.as_str().into(), key.as_ref().into(), options, &payload, properties);
    step("publishing", published).await
}

async fn confirmed(confirm: PublisherConfirm) -> Result<Confirmation, BrokerError> {
    match tokio::time::timeout(CONFIRM, confirm).await {
        Ok(outcome) => outcome.map_err(|error| BrokerError::Amqp { step: "publishing", error }),
        Err(_) => Err(BrokerError::Timeout { step: "a confirm", limit: CONFIRM }),
    }
}

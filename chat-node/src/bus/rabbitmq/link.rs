//! One connection from its beginning to its end.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use lapin::protocol::AMQPErrorKind;
use lapin::{Connection, ErrorKind, Event};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::connect::{self, Channels};
use super::keeper::Keeper;
use super::probe::Probes;
use super::{BrokerError, Outgoing, Shared, State, consume, probe, publish, topology};
use crate::bus::Received;

/// What every connection works on, one after another.
pub(super) struct Ends {
    /// What is to be published.
    pub outgoing: mpsc::Receiver<Outgoing>,
    /// Where probes go in.
    pub probes: mpsc::Sender<Outgoing>,
    /// Where goes what was received.
    pub received: mpsc::Sender<Received>,
}

/// Connects, works until something goes wrong, and says what.
pub(super) async fn run(shared: &Shared, ends: &mut Ends, queue: &str) -> BrokerError {
    let channels = match prepare(shared, queue).await {
        Ok(channels) => channels,
        Err(error) => return error,
    };
    let consumer = match consume::start(&channels.consume, queue).await {
        Ok(consumer) => consumer,
        Err(error) => return error,
    };
    // What was handed over for an earlier connection is in the store.
    while ends.outgoing.try_recv().is_ok() {}
    let probes = Mutex::new(Probes::default());
    tokio::select! {
        error = consume::run(consumer, &ends.received, (queue, &probes)) => error,
        error = publish::run(&channels.publish, &mut ends.outgoing, shared) => error,
        error = keep_bound(shared, &channels, queue, &ends.received) => error,
        error = probe::run(shared, &ends.probes, (queue, &probes)) => error,
        error = watch_events(shared, &channels.connection, (queue, &probes)) => error,
    }
}

async fn prepare(shared: &Shared, queue: &str) -> Result<Channels, BrokerError> {
    let channels = connect::open(&shared.settings.credentials, queue).await?;
    topology::declare(&channels.consume, queue, shared.settings.queue).await?;
    Ok(channels)
}

/// Binds what was ordered, says that the connection stands, and follows the changes.
async fn keep_bound(
    shared: &Shared,
    channels: &Channels,
    queue: &str,
    received: &mpsc::Sender<Received>,
) -> BrokerError {
    match Keeper::begin(shared, channels, queue).await {
        Ok(keeper) => {
            shared.connected(queue);
            shared.metrics.broker_connects.inc();
            tracing::info!(queue, "connected to the broker");
            // The node ends when nobody receives; the connection ends with it.
            let _ = received.send(Received::Connected).await;
            keeper.run(received).await
        }
        Err(error) => error,
    }
}

/// Follows what the broker says of the connection: blocked publishers, and its end.
async fn watch_events(
    shared: &Shared,
    connection: &Connection,
    (queue, probes): (&str, &Mutex<Probes>),
) -> BrokerError {
    let mut events = Box::pin(connection.events_listener());
    loop {
        match events.next().await {
            Some(Event::ConnectionBlocked(reason)) => {
                probes.lock().unwrap_or_else(PoisonError::into_inner).pause();
                shared.away(&format!("the broker takes no publishes: {reason}"));
            }
            Some(Event::ConnectionUnblocked) => {
                probes.lock().unwrap_or_else(PoisonError::into_inner).resume(Instant::now());
                shared.connected(queue);
            }
            Some(Event::Error(error)) if !is_of_one_channel(&error) => {
                return BrokerError::Amqp { step: "the connection", error };
            }
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Whether an error ends one AMQP channel only: who uses the channel hears of it too, and knows what it means.
fn is_of_one_channel(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Soft(_)))
}

/// Whether publishes are taken at the moment.
pub(super) fn is_publishing(shared: &Shared) -> bool {
    matches!(*shared.state(), State::Connected { .. })
}

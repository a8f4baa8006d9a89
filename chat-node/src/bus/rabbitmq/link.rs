//! One pair of connections from its beginning to its end.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use lapin::protocol::AMQPErrorKind;
use lapin::{Connection, ErrorKind, Event};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::connect::{self, Connections};
use super::keeper::Keeper;
use super::outgoing::{self, Outgoing};
use super::probe::Probes;
use super::{BrokerError, Shared, consume, probe, publish, retire, topology};
use crate::bus::Received;

/// What every connection works on, one after another.
pub(super) struct Ends {
    /// What is to be published.
    pub outgoing: mpsc::Receiver<Outgoing>,
    /// Where probes go in.
    pub probes: outgoing::Sender,
    /// Where goes what was received.
    pub received: mpsc::Sender<Received>,
    /// Queues of earlier connections that are perhaps still there.
    pub leftovers: Vec<String>,
}

/// Connects, works until something goes wrong, and says what.
pub(super) async fn run(shared: &Shared, ends: &mut Ends, queue: &str) -> BrokerError {
    let connections = match connect::open(&shared.settings.credentials, queue).await {
        Ok(connections) => connections,
        Err(error) => return error,
    };
    let error = work(shared, ends, (&connections, queue)).await.unwrap_or_else(|error| error);
    if matches!(error, BrokerError::Left) {
        // It would stay until it expires.
        if let Err(error) = topology::delete(&connections.listening, queue).await {
            tracing::debug!(queue, %error, "the queue is left to expire");
        }
        futures::join!(connect::close(&connections.publishing), connect::close(&connections.listening));
    }
    error
}

async fn work(
    shared: &Shared,
    ends: &mut Ends,
    (connections, queue): (&Connections, &str),
) -> Result<BrokerError, BrokerError> {
    let Connections { publishing, listening } = connections;
    let (publisher, channel) =
        futures::try_join!(connect::publisher(publishing), connect::consumer(listening))?;
    topology::declare(&channel, queue, shared.settings.queue).await?;
    let leftovers = ends.leftovers.clone();
    ends.leftovers.push(queue.to_owned());
    let consumer = consume::start(&channel, queue).await?;
    // What was handed over for an earlier connection is in the store.
    while ends.outgoing.try_recv().is_ok() {}
    let probes = Mutex::new(Probes::default());
    let watch = (queue, &probes);
    Ok(tokio::select! {
        error = consume::run(shared, consumer, &ends.received, watch) => error,
        error = publish::run(&publisher, &mut ends.outgoing, shared) => error,
        error = keep_bound(shared, (listening, queue), &ends.received) => error,
        error = probe::run(shared, &ends.probes, watch) => error,
        error = watch_events(shared, publishing, watch) => error,
        error = watch_events(shared, listening, watch) => error,
        error = retire::run(shared, listening, (&leftovers, &mut ends.leftovers)) => error,
    })
}

/// Binds what was ordered, says that the connection stands, and follows the changes.
async fn keep_bound(
    shared: &Shared,
    (connection, queue): (&Connection, &str),
    received: &mpsc::Sender<Received>,
) -> BrokerError {
    match Keeper::begin(shared, connection, queue).await {
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

/// Follows what the broker says of a connection: blocked publishers, and its end.
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
                shared.blocked(queue, &reason);
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

//! Queues that outlived their connections: they still take a copy of everything until they expire.

use std::convert::Infallible;

use lapin::Connection;

use super::epoch::Place;
use super::{BrokerError, Shared, topology};

/// Unbinds and deletes queues of earlier connections; what cannot be deleted is tried again by the next connection.
/// Never ends.
pub(super) async fn run(
    shared: &Shared,
    connection: &Connection,
    (queues, remembered): (&[String], &mut Vec<String>),
) -> BrokerError {
    for queue in queues {
        match delete(shared, connection, queue).await {
            Ok(()) => remembered.retain(|known| known != queue),
            Err(error) => {
                tracing::info!(queue, %error, "the queue of an earlier connection is left to expire");
            }
        }
    }
    match std::future::pending::<Infallible>().await {}
}

async fn delete(shared: &Shared, connection: &Connection, queue: &str) -> Result<(), BrokerError> {
    let place = Place::new(&shared.settings, connection, queue);
    let plans = shared.epochs().listening();
    let topics = shared.wanted().all();
    place.unbind_all(&plans, &topics).await?;
    topology::delete(connection, queue).await
}

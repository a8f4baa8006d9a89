//! Queues that outlived their connections: they still take a copy of everything until they expire.

use std::convert::Infallible;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lapin::Connection;

use super::epoch::Place;
use super::{BrokerError, Shared, topology};

/// How long after a try the next one comes: the broker node that has the queue may hang, or be away.
const AGAIN: Duration = Duration::from_secs(30);

/// Unbinds and deletes queues of earlier connections; what cannot be deleted is tried again, at last by the next
/// connection. Never ends.
pub(super) async fn run(
    shared: &Shared,
    connection: &Connection,
    (queues, remembered): (&[String], &mut Vec<String>),
) -> BrokerError {
    repeat(queues, remembered, |queue| delete(shared, connection, queue).boxed()).await;
    match std::future::pending::<Infallible>().await {}
}

/// Does it for every queue until it has succeeded.
async fn repeat<'a>(
    queues: &[String],
    remembered: &mut Vec<String>,
    delete: impl Fn(String) -> BoxFuture<'a, Result<(), BrokerError>>,
) {
    let mut left = queues.to_vec();
    while !left.is_empty() {
        for queue in std::mem::take(&mut left) {
            match delete(queue.clone()).await {
                Ok(()) => remembered.retain(|known| *known != queue),
                Err(error) => {
                    tracing::info!(queue, %error, "the queue of an earlier connection cannot be deleted yet");
                    left.push(queue);
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn delete(shared: &Shared, connection: &Connection, queue: String) -> Result<(), BrokerError> {
    let place = Place::new(&shared.settings, connection, &queue);
    let plans = shared.epochs().listening();
    let topics = shared.wanted().all();
    place.unbind_all(&plans, &topics).await?;
    topology::delete(connection, &queue).await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_queue_on_a_broker_node_that_is_away_is_deleted_when_the_node_is_back() {
        let queues = ["srv.a", "srv.b"].map(str::to_owned);
        let (mut remembered, tries) = (queues.to_vec(), Mutex::new(Vec::new()));
        repeat(&queues, &mut remembered, |queue| {
            let mut tries = tries.lock().unwrap();
            tries.push(queue.clone());
            let away = queue == "srv.a" && tries.len() < 4;
            futures::future::ready(if away { Err(BrokerError::Cancelled) } else { Ok(()) }).boxed()
        })
        .await;
        assert!(remembered.is_empty(), "{remembered:?}");
        assert_eq!(tries.into_inner().unwrap(), ["srv.a", "srv.b", "srv.a", "srv.a"]);
    }
}

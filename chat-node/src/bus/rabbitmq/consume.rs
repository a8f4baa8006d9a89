//! Receiving from the node's queue.

use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;

use super::connect::step;
use super::probe::Probes;
use super::{BrokerError, Shared};
use crate::bus::{Envelope, Notice, Received};

/// Deliveries that are acknowledged together.
const CHUNK: usize = 256;

/// Begins to consume.
pub(super) async fn start(channel: &Channel, queue: &str) -> Result<Consumer, BrokerError> {
    let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    step("consuming", channel.basic_consume(queue.into(), "".into(), options, FieldTable::default())).await
}

/// Passes on what comes until something goes wrong, and says what. Probes that carry the name of this queue are
/// answered here.
pub(super) async fn run(
    shared: &Shared,
    consumer: Consumer,
    received: &mpsc::Sender<Received>,
    (queue, probes): (&str, &Mutex<Probes>),
) -> BrokerError {
    let mut chunks = consumer.ready_chunks(CHUNK);
    while let Some(chunk) = chunks.next().await {
        let mut last = None;
        for delivery in chunk {
            let delivery = match delivery {
                Ok(delivery) => delivery,
                Err(error) => return BrokerError::Amqp { step: "consuming", error },
            };
            match Envelope::from_bytes(&delivery.data) {
                Some(Envelope { notice: Notice::Probe { queue: asked, exchange }, .. }) => {
                    if asked == queue {
                        probes.lock().unwrap_or_else(PoisonError::into_inner).answered(&exchange);
                    }
                }
                // The node ends when nobody receives; the connection ends with it.
                Some(envelope) => drop(received.send(Received::Envelope(envelope)).await),
                None => shared.metrics.unreadable.inc(),
            }
            last = Some(delivery.acker);
        }
        if let Some(acker) = last {
            let acked = step("acknowledging", acker.ack(BasicAckOptions { multiple: true })).await;
            if let Err(error) = acked {
                return error;
            }
        }
    }
    BrokerError::Cancelled
}

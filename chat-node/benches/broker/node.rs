//! A chat node as the broker sees it: its bus, and a record of all that comes out of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chat_node::bus::Received;
use chat_node::bus::rabbitmq::RabbitMq;
use chat_node::metrics::Metrics;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::broker::Broker;
use crate::brokers::Address;
use crate::conformance::number_of;

const CONNECTED_WITHIN: Duration = Duration::from_secs(30);
const LISTENING_WITHIN: Duration = Duration::from_secs(90);

pub struct Node {
    pub bus: RabbitMq,
    pub metrics: Arc<Metrics>,
    record: Arc<Record>,
}

/// What has come.
#[derive(Default)]
struct Record {
    heard: Mutex<Vec<Heard>>,
    connected: watch::Sender<Vec<Instant>>,
    listening: watch::Sender<usize>,
}

/// A copy of a message.
#[derive(Clone, Copy)]
pub struct Heard {
    pub number: u64,
    pub at: Instant,
}

impl Node {
    /// Starts one and waits until it is connected.
    pub async fn start(broker: &Broker, name: &str, address: &Address) -> Result<Self> {
        let metrics = Arc::new(Metrics::new()?);
        let settings = broker.settings(name, |credentials| address.replace(credentials));
        let (bus, received) = RabbitMq::start(settings, Arc::clone(&metrics))?;
        let record = Arc::new(Record::default());
        tokio::spawn(keep(received, Arc::clone(&record)));
        let node = Self { bus, metrics, record };
        let mut connected = node.record.connected.subscribe();
        let stands = timeout(CONNECTED_WITHIN, connected.wait_for(|times| !times.is_empty())).await;
        stands.with_context(|| format!("{name} gets no connection"))??;
        Ok(node)
    }

    /// Waits until the bus has said of so many topics that it listens to them, or has a second connection: that begins
    /// with all of them.
    pub async fn listening(&self, topics: usize) -> Result<()> {
        let mut listening = self.record.listening.subscribe();
        let mut connected = self.record.connected.subscribe();
        let bound = async {
            tokio::select! {
                all = listening.wait_for(|count| *count >= topics) => all.map(drop),
                again = connected.wait_for(|times| times.len() > 1) => again.map(drop),
            }
        };
        let bound = timeout(LISTENING_WITHIN, bound).await;
        bound.with_context(|| format!("{topics} topics are not listened to in time"))??;
        Ok(())
    }

    pub fn heard(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.record.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When connections to the broker stood.
    pub fn connected(&self) -> Vec<Instant> {
        self.record.connected.borrow().clone()
    }
}

async fn keep(mut received: mpsc::Receiver<Received>, record: Arc<Record>) {
    while let Some(received) = received.recv().await {
        let at = Instant::now();
        match received {
            Received::Envelope(envelope) => {
                let heard = Heard { number: number_of(&envelope), at };
                record.heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
            }
            Received::Connected => record.connected.send_modify(|times| times.push(at)),
            Received::Listening(topics) => record.listening.send_modify(|count| *count += topics.len()),
        }
    }
}

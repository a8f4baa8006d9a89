//! A node without a network: messages come in as bytes of the bus, and leave into sinks that take all.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use chat_node::bus::in_process::InProcessBroker;
use chat_node::bus::{Bus, Envelope, Received};
use chat_node::channels::follow::Follower;
use chat_node::channels::{Channels, Foundation};
use chat_node::clock::System;
use chat_node::error::Problem;
use chat_node::hub::Hub;
use chat_node::hub::connections::OrderReceiver;
use chat_node::hub::send_queue::{Flusher, Outlet, SendQueueReader, Sink, send_queue};
use chat_node::ids::{ChannelId, Position, lease};
use chat_node::limits::Limits;
use chat_node::metrics::Metrics;
use chat_node::protocol::message::User;
use chat_node::store::Store;
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use crds::Posting;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Turns of the flusher that one message may take.
const TURNS_MAX: usize = 1_000;

/// A node, and connections to nowhere.
pub struct Stand {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    channels: Arc<Channels>,
    /// A hub has as many as the machine has cores, and the counts shall not depend on that.
    flusher: Arc<Flusher>,
    sink: Arc<Counter>,
    connections: RefCell<Vec<(SendQueueReader, OrderReceiver)>>,
    _received: mpsc::Receiver<Received>,
}

/// Takes all, and counts frames.
#[derive(Debug, Default)]
struct Counter(AtomicUsize);

impl Sink for Counter {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.fetch_add(slices.len(), Ordering::Relaxed);
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
}

impl Stand {
    /// A node that nobody is connected to.
    pub async fn new() -> Result<Self> {
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory(BucketLength::default(), Arc::new(System))?);
        store.prepare("Official").await?;
        let (ids, _) =
            lease::spawn(Arc::clone(&store), Arc::new(System), "node".to_owned(), CancellationToken::new());
        ids.watch().wait_for(Option::is_some).await?;
        let hub = Arc::new(Hub::new(Arc::new(Limits::default())));
        let (bus, received) = InProcessBroker::default().join();
        let bus: Arc<dyn Bus> = Arc::new(bus);
        let foundation = Foundation {
            store: Arc::clone(&store),
            ids,
            hub: Arc::clone(&hub),
            bus,
            metrics: Arc::new(Metrics::new()?),
            posting: Posting::Everyone,
        };
        let channels = Channels::new(foundation);
        channels.open_official().await?;
        let flusher = Arc::new(Flusher::default());
        let flushing = Arc::clone(&flusher);
        tokio::spawn(async move { flushing.run().await });
        let (sink, connections) = Default::default();
        Ok(Self { store, hub, channels, flusher, sink, connections, _received: received })
    }

    /// A connection of a user that follows a channel from its beginning.
    pub async fn connect(&self, user: &str, channel: ChannelId) -> Result<()> {
        let (queue, reader) = send_queue(1 << 20);
        let entered = self.hub.connections.enter(&queue, None);
        let Ok((connection, orders)) = entered else { bail!("the node has no room") };
        let user = user.parse()?;
        self.hub.connections.sign_in(connection, &user).ok().context("the user has too many connections")?;
        self.hub.connections.knows(connection, [channel].into_iter());
        let follower = Follower { connection, user, queue };
        self.channels.follow(&follower, channel, Position(0)).await?;
        reader.attach(Outlet::new(self.sink.clone(), Arc::clone(&self.flusher)));
        self.connections.borrow_mut().push((reader, orders));
        Ok(())
    }

    /// The direct channel of two users.
    pub async fn introduce(&self, users: &[User; 2]) -> Result<ChannelId> {
        for user in users {
            self.store.put_user(user).await?;
        }
        let opened = self.channels.open_direct(&users[0], &users[1].id).await;
        Ok(opened.map_err(|Problem { message, .. }| anyhow::anyhow!("{message}"))?.id)
    }

    /// Takes in what came over the bus; back when so many connections have it.
    pub async fn deliver(&self, envelope: &[u8], to: usize) -> Result<()> {
        let due = self.frames() + to;
        let envelope = Envelope::from_bytes(envelope).context("that is no envelope")?;
        self.channels.receive(Received::Envelope(envelope));
        for _ in 0..TURNS_MAX {
            tokio::task::yield_now().await;
            if self.frames() >= due {
                return Ok(());
            }
        }
        bail!("{} of {due} frames have left", self.frames())
    }

    fn frames(&self) -> usize {
        self.sink.0.load(Ordering::Relaxed)
    }
}

/// A user with this id.
pub fn user(id: &str) -> Result<User> {
    Ok(User { id: id.parse()?, name: id.to_owned() })
}

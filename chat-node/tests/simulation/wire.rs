//! The way between a client and a node: frames arrive in order, later, until one end goes or the way breaks; what was
//! still on its way is lost then.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use chat_node::error::CloseReason;
use chat_node::gateway::transport::{Gone, Incoming, Transport};
use chat_node::protocol::codec::Encoded;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::life::Life;
use crate::world::World;

/// Frames that fit into the way to the client; then the node has to wait.
const FITS: usize = 16;

/// What a client hears.
#[derive(Debug)]
pub enum Heard {
    Frame(Utf8Bytes),
    Closed(CloseReason),
    /// The way is broken.
    Broken,
}

/// The client's end.
#[derive(Debug)]
pub struct ClientEnd {
    world: Arc<World>,
    up: mpsc::UnboundedSender<(Instant, String)>,
    down: mpsc::Receiver<(Instant, Down)>,
    next: Option<(Instant, Down)>,
    node_broken: CancellationToken,
}

/// The node's end.
#[derive(Debug)]
pub struct NodeEnd {
    world: Arc<World>,
    life: Arc<Life>,
    up: mpsc::UnboundedReceiver<(Instant, String)>,
    next: Option<(Instant, String)>,
    down: mpsc::Sender<(Instant, Down)>,
}

#[derive(Debug)]
enum Down {
    Frame(Utf8Bytes),
    Close(CloseReason),
}

pub fn wire(world: &Arc<World>, life: &Arc<Life>) -> (ClientEnd, NodeEnd) {
    let (up, up_receiver) = mpsc::unbounded_channel();
    let (down_sender, down) = mpsc::channel(FITS);
    let client =
        ClientEnd { world: Arc::clone(world), up, down, next: None, node_broken: life.broken.clone() };
    let (world, life) = (Arc::clone(world), Arc::clone(life));
    (client, NodeEnd { world, life, up: up_receiver, next: None, down: down_sender })
}

fn arrival(world: &World) -> Instant {
    let way = world.weather().wire_ms;
    Instant::now() + Duration::from_millis(world.dice.up_to(way))
}

impl ClientEnd {
    pub fn say(&self, frame: String) {
        // A node that is gone does not hear it.
        let _ = self.up.send((arrival(&self.world), frame));
    }

    /// Waits for what comes next. Nothing is lost if the future is dropped.
    pub async fn hear(&mut self) -> Heard {
        if self.next.is_none() {
            self.next = tokio::select! {
                biased;
                () = self.node_broken.cancelled() => return Heard::Broken,
                next = self.down.recv() => next,
            };
        }
        let Some((at, _)) = &self.next else { return Heard::Broken };
        tokio::select! {
            biased;
            () = self.node_broken.cancelled() => return Heard::Broken,
            () = sleep_until(*at) => {}
        }
        match self.next.take() {
            Some((_, Down::Frame(frame))) => Heard::Frame(frame),
            Some((_, Down::Close(reason))) => Heard::Closed(reason),
            None => Heard::Broken,
        }
    }
}

impl Transport for NodeEnd {
    async fn receive(&mut self) -> Incoming {
        if self.next.is_none() {
            self.next = tokio::select! {
                biased;
                () = self.life.broken.cancelled() => None,
                next = self.up.recv() => next,
            };
        }
        let Some((at, _)) = &self.next else {
            self.life.runs().await;
            return Incoming::Gone;
        };
        sleep_until(*at).await;
        self.life.runs().await;
        self.next.take().map_or(Incoming::Gone, |(_, frame)| Incoming::Text(frame.into()))
    }

    async fn feed(&mut self, frame: Encoded) -> Result<(), Gone> {
        self.life.runs().await;
        let frame = Down::Frame(frame.into_text());
        self.down.send((arrival(&self.world), frame)).await.map_err(|_| Gone)
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        Ok(())
    }

    async fn close(&mut self, reason: CloseReason) {
        self.life.runs().await;
        // A client that is gone needs no close.
        let _ = self.down.send((arrival(&self.world), Down::Close(reason))).await;
    }
}

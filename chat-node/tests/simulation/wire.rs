//! The way between a client and a node: frames arrive in order, later, until one end goes or the way breaks; what was
//! still on its way is lost then.

use std::sync::Arc;
use std::time::Duration;

use chat_node::error::CloseReason;
use chat_node::gateway::transport::{Fed, Flushed, Incoming, Transport};
use chat_node::protocol::codec::Encoded;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::flaw::Flaw;
use crate::life::Life;
use crate::world::World;

/// Frames that fit into the way to the client; then the node has to wait.
const FITS: usize = 16;

/// The client's end.
#[derive(Debug)]
pub struct ClientEnd {
    world: Arc<World>,
    up: mpsc::UnboundedSender<(Instant, String)>,
    down: Arriving<Down>,
}

/// The node's end.
#[derive(Debug)]
pub struct NodeEnd {
    world: Arc<World>,
    life: Arc<Life>,
    up: mpsc::UnboundedReceiver<(Instant, String)>,
    next: Option<(Instant, String)>,
    down: mpsc::Sender<(Instant, Down)>,
    /// Not on its way yet.
    fed: Option<Encoded>,
}

/// What a node says.
#[derive(Debug)]
pub enum Down {
    Frame(Encoded),
    Close(CloseReason),
}

/// What comes from a node, each part not before its time, until the node breaks.
#[derive(Debug)]
pub struct Arriving<T> {
    parts: mpsc::Receiver<(Instant, T)>,
    next: Option<(Instant, T)>,
    node_broken: CancellationToken,
}

pub fn wire(world: &Arc<World>, life: &Arc<Life>) -> (ClientEnd, NodeEnd) {
    let (up, up_receiver) = mpsc::unbounded_channel();
    let (down_sender, down) = arriving(life);
    let client = ClientEnd { world: Arc::clone(world), up, down };
    let (world, life) = (Arc::clone(world), Arc::clone(life));
    (client, NodeEnd { world, life, up: up_receiver, next: None, down: down_sender, fed: None })
}

/// A way from a node to a client.
pub fn arriving<T>(life: &Life) -> (mpsc::Sender<(Instant, T)>, Arriving<T>) {
    let (sender, parts) = mpsc::channel(FITS);
    (sender, Arriving { parts, next: None, node_broken: life.broken.clone() })
}

/// When something arrives that is sent now.
pub fn arrival(world: &World) -> Instant {
    let way = world.weather().wire_ms;
    Instant::now() + Duration::from_millis(world.dice.up_to(way))
}

impl<T> Arriving<T> {
    /// Waits for what comes next; `None`: the way is broken, or this was all. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<T> {
        if self.next.is_none() {
            self.next = tokio::select! {
                biased;
                () = self.node_broken.cancelled() => return None,
                next = self.parts.recv() => next,
            };
        }
        let at = self.next.as_ref().map(|(at, _)| *at)?;
        tokio::select! {
            biased;
            () = self.node_broken.cancelled() => return None,
            () = sleep_until(at) => {}
        }
        self.next.take().map(|(_, part)| part)
    }
}

impl ClientEnd {
    pub fn say(&self, frame: String) {
        // A node that is gone does not hear it.
        let _ = self.up.send((arrival(&self.world), frame));
    }

    /// Waits for what comes next; `None`: the way is broken. Nothing is lost if the future is dropped.
    pub async fn hear(&mut self) -> Option<Down> {
        self.down.next().await
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
        if self.world.flaw == Some(Flaw::FramesOvertake)
            && let Ok(later) = self.up.try_recv()
        {
            return Incoming::Text(later.1);
        }
        self.next.take().map_or(Incoming::Gone, |(_, frame)| Incoming::Text(frame))
    }

    fn feed(&mut self, frame: Encoded) -> Fed {
        self.fed = Some(frame);
        Fed::Full
    }

    fn write(&mut self) -> Flushed {
        let Some(frame) = self.fed.take() else { return Flushed::All };
        match self.down.try_reserve() {
            Ok(place) if self.life.is_running() => {
                place.send((arrival(&self.world), Down::Frame(frame)));
                Flushed::All
            }
            _ if self.down.is_closed() => Flushed::Broken,
            _ => {
                self.fed = Some(frame);
                Flushed::Stalled
            }
        }
    }

    async fn writable(&mut self) {
        self.life.runs().await;
        let _ = self.down.reserve().await;
    }

    async fn close(&mut self, reason: CloseReason) {
        self.life.runs().await;
        // A client that is gone needs no close.
        let _ = self.down.send((arrival(&self.world), Down::Close(reason))).await;
    }
}

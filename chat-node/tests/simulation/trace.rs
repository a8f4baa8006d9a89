//! What happened in a run, in order: its hash tells two runs apart, its end explains a failed one.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_node::groups::Role;
use chat_node::ids::{ChannelId, GroupId, MessageId, Position, ServerId, UserId};
use tokio::time::Instant;

use crate::confirms::Confirm;

/// A node from its start to its end; who starts again is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A client, through all its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// What a client sees of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    Message(MessageId),
    Change,
    Void,
}

/// One thing that happened.
#[derive(Clone, Debug, Hash)]
pub enum Event {
    Fault(String),
    NodeStarts(NodeId),
    NodeServes(NodeId, Option<ServerId>),
    NodeDies(NodeId),
    NodeLeaves(NodeId, usize),
    Stored {
        node: NodeId,
        channel: ChannelId,
        positions: Vec<u64>,
        outcome: String,
    },
    StoreFails {
        node: NodeId,
        call: &'static str,
        how: &'static str,
    },
    BusLoses {
        from: NodeId,
        to: NodeId,
    },
    BusBrings {
        from: NodeId,
        to: NodeId,
    },
    Unconfirmed {
        node: NodeId,
        confirm: Confirm,
    },
    /// `None`: to any, by asking again and again.
    Connects {
        client: ClientId,
        node: Option<NodeId>,
    },
    Ready {
        client: ClientId,
        cursors: String,
    },
    Sees {
        client: ClientId,
        channel: ChannelId,
        position: u64,
        shown: Shown,
    },
    Sends {
        client: ClientId,
        channel: ChannelId,
        nonce: String,
    },
    Acked {
        client: ClientId,
        nonce: String,
        id: MessageId,
        position: Position,
    },
    Refused {
        client: ClientId,
        nonce: Option<String>,
        code: String,
    },
    Disconnected {
        client: ClientId,
        why: String,
    },
    Opened {
        client: ClientId,
        channel: Option<ChannelId>,
    },
    Changes {
        client: ClientId,
        message: MessageId,
        how: &'static str,
    },
    Gets {
        client: ClientId,
        channel: ChannelId,
        after: u64,
    },
    Loses {
        client: ClientId,
        channel: ChannelId,
    },
    Role {
        group: GroupId,
        user: UserId,
        role: Option<Role>,
        outcome: String,
    },
}

impl Event {
    /// Whether it may explain what went wrong with this channel or client.
    fn concerns(&self, channel: Option<ChannelId>, who: Option<ClientId>) -> bool {
        match self {
            Self::Fault(_)
            | Self::NodeStarts(_)
            | Self::NodeServes(..)
            | Self::NodeDies(_)
            | Self::NodeLeaves(..)
            | Self::Role { .. } => true,
            Self::Stored { channel: own, .. } => channel == Some(*own),
            Self::Sees { client, channel: own, .. } => {
                channel.is_none_or(|channel| channel == *own) && who.is_none_or(|who| who == *client)
            }
            Self::StoreFails { .. }
            | Self::BusLoses { .. }
            | Self::BusBrings { .. }
            | Self::Unconfirmed { .. } => false,
            Self::Connects { client, .. }
            | Self::Ready { client, .. }
            | Self::Sends { client, .. }
            | Self::Acked { client, .. }
            | Self::Refused { client, .. }
            | Self::Disconnected { client, .. }
            | Self::Changes { client, .. }
            | Self::Gets { client, .. }
            | Self::Loses { client, .. }
            | Self::Opened { client, .. } => who == Some(*client),
        }
    }
}

#[derive(Debug)]
pub struct Trace {
    start: Instant,
    events: Mutex<Vec<(u64, Event)>>,
}

impl Trace {
    pub fn new(start: Instant) -> Self {
        Self { start, events: Mutex::default() }
    }

    pub fn note(&self, event: Event) {
        let at_ms = self.start.elapsed().as_millis() as u64;
        self.events().push((at_ms, event));
    }

    pub fn len(&self) -> usize {
        self.events().len()
    }

    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.events().hash(&mut hasher);
        hasher.finish()
    }

    /// The last `count` events that concern a channel or a client.
    pub fn tail(&self, channel: Option<ChannelId>, client: Option<ClientId>, count: usize) -> String {
        let events = self.events();
        let concerned: Vec<_> =
            events.iter().rev().filter(|(_, event)| event.concerns(channel, client)).take(count).collect();
        let line = |(at_ms, event): &(u64, Event)| format!("{:>9} ms  {event:?}\n", at_ms);
        concerned.into_iter().rev().map(line).collect()
    }

    fn events(&self) -> MutexGuard<'_, Vec<(u64, Event)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

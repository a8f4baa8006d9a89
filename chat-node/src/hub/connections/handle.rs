//! One connection, as the hub has it: which channels it knows, and what it is told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::orders::{OrderReceiver, OrderSender, orders};
use crate::hub::send_queue::SendQueue;
use crate::ids::{ChannelId, ChannelSet, UserId};
use crate::protocol::frame::{ChannelKindView, ChannelView};

/// The most channels that one connection follows, but for direct ones that are opened while it is there.
pub const FOLLOWED_MAX: usize = 500;
/// The most with these.
const KNOWN_MAX: usize = 2 * FOLLOWED_MAX;

/// What the node tells a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Its user has a channel that it may not know.
    Introduce(Box<ChannelView>),
    /// Its user has a channel no more.
    Withdraw(ChannelId),
    /// Send the client elsewhere after this time.
    Reconnect(Duration),
}

#[derive(Debug)]
pub(super) struct Handle {
    pub queue: SendQueue,
    pub address: Option<IpAddr>,
    pub user: Option<UserId>,
    /// Whether the store has been asked for the user's channels, or is about to be.
    pub has_asked: bool,
    orders: OrderSender,
    known: Known,
}

/// The channels that a connection knows.
#[derive(Debug)]
enum Known {
    /// It is signing in; these are new to it unless it is told of them then.
    NotYet(BTreeMap<ChannelId, ChannelView>),
    /// It has been told of these.
    Told(ChannelSet),
}

impl Handle {
    /// A connection that has not signed in yet, and where its orders come out.
    pub fn new(queue: SendQueue, address: Option<IpAddr>) -> (Self, OrderReceiver) {
        let (orders, receiver) = orders();
        let known = Known::NotYet(BTreeMap::new());
        (Self { queue, address, user: None, has_asked: false, orders, known }, receiver)
    }

    /// Notes what the connection has been told, and tells it of what was introduced meanwhile.
    pub fn knows(&mut self, channels: impl Iterator<Item = ChannelId>) {
        let told = Known::Told(channels.collect());
        if let Known::NotYet(early) = std::mem::replace(&mut self.known, told) {
            early.values().for_each(|channel| self.introduce(channel));
        }
    }

    /// Tells the connection of a channel that it does not know, now or when it has signed in.
    pub fn introduce(&mut self, channel: &ChannelView) {
        let most = most(channel.kind);
        let is_news = match &mut self.known {
            Known::NotYet(early) => {
                if early.len() < KNOWN_MAX {
                    early.entry(channel.id).or_insert_with(|| channel.clone());
                }
                false
            }
            Known::Told(known) => known.len() < most && known.insert(channel.id),
        };
        if is_news {
            self.order(Order::Introduce(Box::new(channel.clone())));
        }
    }

    /// Tells the connection that a channel it knows is none of its user's any more.
    pub fn withdraw(&mut self, channel: ChannelId) {
        let was_known = match &mut self.known {
            Known::NotYet(early) => {
                early.remove(&channel);
                false
            }
            Known::Told(known) => known.remove(channel),
        };
        if was_known {
            self.order(Order::Withdraw(channel));
        }
    }

    /// Whether the connection has not been told of a channel of this kind, and may be.
    pub fn lacks(&self, channel: ChannelId, kind: ChannelKindView) -> bool {
        match &self.known {
            Known::NotYet(early) => early.len() < KNOWN_MAX && !early.contains_key(&channel),
            Known::Told(known) => known.len() < most(kind) && !known.contains(channel),
        }
    }

    /// A connection that does not take its orders is as good as one that does not read.
    pub fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            self.queue.overflow();
        }
    }
}

/// How many channels a connection may know so that it is told of one of this kind.
fn most(kind: ChannelKindView) -> usize {
    match kind {
        ChannelKindView::Direct => KNOWN_MAX,
        ChannelKindView::Official | ChannelKindView::Group => FOLLOWED_MAX,
    }
}

//! Which users are here: on any node, as far as this one knows. [`directory`] decides, this shell speaks to bus and
//! connections, once a second.

pub mod directory;
mod remote;
mod watchers;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use self::directory::Directory;
use crate::bus::{Audience, Bus, Envelope, Notice, Received};
use crate::hub::Hub;
use crate::hub::connections::{ConnectionId, Connections};
use crate::hub::send_queue::SendQueue;
use crate::ids::UserId;
use crate::protocol::codec::{self, Encoded};
use crate::protocol::frame::{Event, ServerFrame, UserPresence};
use crate::protocol::presence::NodeTag;
use crate::session::Watched;

/// Between two batches of changes.
const PERIOD: Duration = Duration::from_secs(1);

/// The users of all nodes, and who on this node wants to know of them.
#[derive(Debug)]
pub struct Presence {
    directory: Mutex<Directory>,
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
}

impl Presence {
    /// Nobody is known to be anywhere yet.
    pub fn new(hub: Arc<Hub>, bus: Arc<dyn Bus>) -> Arc<Self> {
        let directory = Mutex::new(Directory::new(NodeTag(fastrand::u64(..))));
        Arc::new(Self { directory, hub, bus })
    }

    /// A user has one connection more on this node.
    pub fn arrived(&self, user: &UserId) {
        self.directory().arrived(user);
    }

    /// A user has one connection less on this node.
    pub fn left(&self, user: &UserId) {
        self.directory().left(user, Instant::now().into_std());
    }

    /// Queues for a connection whether these users are here, and from now on every change of it; no others any more.
    pub fn watch(&self, connection: ConnectionId, queue: &SendQueue, users: &Watched) {
        let now = self.directory().watch(connection, users);
        queue.push(&frame(&now));
    }

    /// A connection watches nobody any more.
    pub fn unwatch(&self, connection: ConnectionId) {
        self.directory().unwatch(connection);
    }

    /// Takes in what came over the bus; what does not concern presence is passed over.
    pub fn receive(&self, received: &Received) {
        match received {
            Received::Envelope(Envelope { notice: Notice::Presence(notice), .. }) => {
                self.directory().receive(notice, Instant::now().into_std());
            }
            Received::Connected => self.directory().ask_all(),
            _ => {}
        }
    }

    /// Tells the other nodes and the connections what has changed, for ever.
    pub async fn keep_telling(self: Arc<Self>) {
        let mut interval = tokio::time::interval(PERIOD);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = interval.tick().await;
            let told = self.directory().tick(now.into_std());
            for notice in told.notices {
                self.bus.publish(&Envelope::new(Notice::Presence(notice)), Audience::Everyone);
            }
            for (connection, users) in told.watchers {
                tell(&self.hub.connections, connection, &frame(&users));
            }
        }
    }

    /// Never held across a panic, so a poisoned one holds a sound state.
    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn frame(users: &[UserPresence]) -> Encoded {
    codec::encode(&ServerFrame::Event(Event::Presence { users }))
}

fn tell(connections: &Connections, connection: ConnectionId, frame: &Encoded) {
    if let Some(queue) = connections.queue(connection) {
        queue.push(frame);
    }
}

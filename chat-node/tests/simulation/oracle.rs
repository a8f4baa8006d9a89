//! What must always hold. The first thing that does not ends the run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_node::ids::{ChannelId, MessageId, Position, UserId};
use chat_node::protocol::message::{Entry, Message};

use crate::model::Tables;
use crate::trace::{ClientId, NodeId, Shown};

/// What did not hold, and where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub what: String,
    pub channel: Option<ChannelId>,
    pub client: Option<ClientId>,
}

#[derive(Debug, Default)]
pub struct Oracle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    violation: Option<Violation>,
    /// Which ids were tried, and for what.
    ids: BTreeMap<u64, (NodeId, String)>,
    acks: BTreeMap<(ChannelId, UserId, String), (MessageId, Position)>,
}

impl Oracle {
    pub fn violation(&self) -> Option<Violation> {
        self.state().violation.clone()
    }

    /// Notes what is wrong; only the first one counts.
    pub fn wrong(&self, what: String, channel: Option<ChannelId>, client: Option<ClientId>) {
        self.state().violation.get_or_insert(Violation { what, channel, client });
    }

    /// A node tries to store an entry: its id must be new.
    pub fn attempted(&self, entry: &Entry, node: NodeId) {
        if let Entry::Message(message) = entry {
            let Message { channel_id, position, author, nonce, .. } = message;
            let what = format!("{channel_id}/{position} {}/{nonce}", author.id);
            self.id(message.id.0, (node, what), Some(*channel_id));
        }
    }

    /// A client was told that its message is stored.
    pub fn acked(&self, (channel, author, nonce): (ChannelId, &UserId, &str), ack: (MessageId, Position)) {
        let key = (channel, author.clone(), nonce.to_owned());
        let first = *self.state().acks.entry(key).or_insert(ack);
        if first != ack {
            let what = format!("nonce {nonce} of {author} was acked as {first:?} and as {ack:?}");
            self.wrong(what, Some(channel), None);
        }
    }

    /// What clients were told must be in the logs in the end, and the logs must be sound.
    pub fn check_logs(&self, tables: &Tables) {
        for channel in tables.channels() {
            self.check_log(channel.id, tables);
        }
        let acks = self.state().acks.clone();
        for ((channel, author, nonce), (id, position)) in acks {
            let stored = tables.entry(channel, position);
            let is_it = matches!(&stored, Some(Entry::Message(message))
                if message.id == id && message.nonce == nonce && message.author.id == author);
            if !is_it {
                let what = format!(
                    "nonce {nonce} of {author} was acked at {position} as {id}, where the log has {stored:?}"
                );
                self.wrong(what, Some(channel), None);
            }
        }
    }

    fn check_log(&self, channel: ChannelId, tables: &Tables) {
        let mut nonces = BTreeMap::new();
        let mut last = MessageId(0);
        for entry in tables.entries(channel) {
            let Entry::Message(message) = entry else { continue };
            let key = (message.author.id.clone(), message.nonce.clone());
            if let Some(first) = nonces.insert(key, message.position) {
                let what = format!(
                    "nonce {} of {} is stored at {first} and at {}",
                    message.nonce, message.author.id, message.position
                );
                self.wrong(what, Some(channel), None);
            }
            if message.id <= last {
                let what =
                    format!("id {} at {} does not grow: {last} came before", message.id, message.position);
                self.wrong(what, Some(channel), None);
            }
            last = message.id;
        }
    }

    fn id(&self, id: u64, (node, what): (NodeId, String), channel: Option<ChannelId>) {
        let first = self.state().ids.entry(id).or_insert_with(|| (node, what.clone())).clone();
        if first != (node, what.clone()) {
            let what = format!("id {id} was made twice: {first:?} and {:?}", (node, what));
            self.wrong(what, channel, None);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client has seen of a channel.
#[derive(Debug, Default)]
pub struct Seen {
    /// The position that it began after.
    pub from: u64,
    pub last: u64,
    last_id: u64,
    shown: Vec<Shown>,
}

impl Seen {
    pub fn starting_after(position: u64) -> Self {
        Self { from: position, last: position, ..Self::default() }
    }

    /// Takes in what comes next; says what is wrong with it.
    pub fn take(&mut self, position: u64, shown: Shown, stored: Option<Shown>) -> Result<(), String> {
        if position <= self.last {
            return Err(format!("{position} came after {}: twice, or out of order", self.last));
        }
        if position > self.last + 1 {
            return Err(format!("{position} came after {}: what is between is lost", self.last));
        }
        if let Shown::Message(id) = shown {
            if id.0 <= self.last_id {
                return Err(format!("at {position} id {id} came after {}", self.last_id));
            }
            self.last_id = id.0;
        }
        if stored != Some(shown) {
            return Err(format!("{shown:?} was shown at {position}, where the log has {stored:?}"));
        }
        self.last = position;
        self.shown.push(shown);
        Ok(())
    }

    /// Compares all that was seen with the log as it is in the end.
    pub fn compare(&self, channel: ChannelId, tables: &Tables) -> Result<(), String> {
        for (position, shown) in (self.from + 1..).zip(&self.shown) {
            let stored = stored(tables, channel, position);
            if stored != Some(*shown) {
                return Err(format!("{shown:?} was shown at {position}, where the log has now {stored:?}"));
            }
        }
        Ok(())
    }
}

/// What the log shows at a position.
pub fn stored(tables: &Tables, channel: ChannelId, position: u64) -> Option<Shown> {
    Some(match tables.entry(channel, Position(position))? {
        Entry::Message(message) => Shown::Message(message.id),
        Entry::Change(change) => Shown::Change(change.id),
        Entry::Void { .. } => Shown::Void,
    })
}

//! What must always hold. The first thing that does not ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_node::groups::Role;
use chat_node::ids::{ChannelId, GroupId, MessageId, Position, UserId};
use chat_node::protocol::message::{Change, Entry, Message};

use crate::claims::Claims;
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
    published: BTreeSet<(NodeId, ChannelId, Position)>,
    acks: BTreeMap<(ChannelId, UserId, String), (MessageId, Position)>,
    /// How far each channel's acks had come when a nonce was sent for the first time.
    sent_after: BTreeMap<(ChannelId, UserId, String), Position>,
    acked_up_to: BTreeMap<ChannelId, Position>,
    claims: Claims,
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

    /// A node tells the others of an entry: once.
    pub fn published(&self, entry: &Entry, node: NodeId) {
        let (channel, position) = (entry.channel(), entry.position());
        if !self.state().published.insert((node, channel, position)) {
            self.wrong(format!("{node:?} has published {position} twice"), Some(channel), None);
        }
    }

    /// A client sends a message, for the first time or again.
    pub fn sends(&self, (channel, author, nonce): (ChannelId, &UserId, &str)) {
        let mut state = self.state();
        let after = state.acked_up_to.get(&channel).copied().unwrap_or(Position(0));
        state.sent_after.entry((channel, author.clone(), nonce.to_owned())).or_insert(after);
    }

    /// A client was told that its message is stored: every time in the same place, and behind all that had been acked
    /// before it was sent.
    pub fn acked(&self, (channel, author, nonce): (ChannelId, &UserId, &str), ack: (MessageId, Position)) {
        let key = (channel, author.clone(), nonce.to_owned());
        let mut state = self.state();
        let after = state.sent_after.get(&key).copied().unwrap_or(Position(0));
        let up_to = state.acked_up_to.entry(channel).or_insert(Position(0));
        *up_to = (*up_to).max(ack.1);
        let first = *state.acks.entry(key).or_insert(ack);
        drop(state);
        if first != ack {
            let what = format!("nonce {nonce} of {author} was acked as {first:?} and as {ack:?}");
            self.wrong(what, Some(channel), None);
        }
        if ack.1 <= after {
            let what =
                format!("nonce {nonce} of {author} is at {}, but was sent after the ack of {after}", ack.1);
            self.wrong(what, Some(channel), None);
        }
    }

    /// From now on somebody may be let into a group again.
    pub fn lift(&self, group: GroupId, user: &UserId) {
        self.state().claims.lift(group, user);
    }

    /// It was answered that a user is this in a group.
    pub fn put(&self, tables: &Tables, (group, user): (GroupId, &UserId), role: Option<Role>) {
        let heads = tables.channels_of(&[group]).into_iter().map(|channel| (channel.id, channel.head.0));
        self.state().claims.put((group, user), role, heads.collect());
    }

    /// An entry is stored: its author must not have been put out before. Who may only read may still take back what was
    /// their own.
    pub fn stored(&self, entry: &Entry) {
        let (author, takes_back) = match entry {
            Entry::Message(message) => (&message.author.id, false),
            Entry::Change(change) => (
                &change.by.id,
                matches!(change.change, Change::Delete { .. } | Change::React { on: false, .. }),
            ),
            Entry::Void { .. } => return,
        };
        let (channel, position) = (entry.channel(), entry.position().0);
        let state = self.state();
        let forbidden = if takes_back {
            state.claims.forbid_reading(author, channel, position)
        } else {
            state.claims.forbid_writing(author, channel, position)
        };
        drop(state);
        if forbidden {
            let what = format!("{author} wrote at {position} after it was answered that they may not");
            self.wrong(what, Some(channel), None);
        }
    }

    /// A client is shown an entry: its user must not have been put out before.
    pub fn shown(&self, user: &UserId, (channel, position): (ChannelId, u64), client: ClientId) {
        if self.state().claims.forbid_reading(user, channel, position) {
            let what =
                format!("{client} of {user} is shown {position} after it was answered that they are out");
            self.wrong(what, Some(channel), Some(client));
        }
    }

    /// Who was made something must still be that in the end.
    pub fn check_roles(&self, tables: &Tables) {
        let state = self.state();
        let others = state.claims.roles().filter_map(|(group, user, role)| {
            // In the official group everybody is a member without a row.
            let row = role.filter(|role| group != GroupId::OFFICIAL || *role != Role::Member);
            let is = tables.seat(group, user).role;
            (is != row).then(|| {
                format!("{user} is {is:?} in group {group}, after it was answered that they are {row:?}")
            })
        });
        let wrong: Vec<_> = others.collect();
        drop(state);
        wrong.into_iter().for_each(|what| self.wrong(what, None, None));
    }

    /// What clients were told must be in the logs in the end, and the logs must be sound.
    pub fn check_logs(&self, tables: &Tables) {
        for channel in tables.channels() {
            self.check_log(channel.id, tables);
        }
        let acks = self.state().acks.clone();
        for ((channel, author, nonce), (id, position)) in acks {
            let stored = tables.entry(channel, position);
            let message = tables.find_nonce(channel, &author, &nonce);
            let is_it = message.is_some_and(|message| message.id == id && message.position == position);
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
    pub fn take(&mut self, position: u64, shown: Shown, stored: Stored) -> Result<(), String> {
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
        if !stored.allows(shown) {
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
            if !stored.allows(*shown) {
                return Err(format!("{shown:?} was shown at {position}, where the log has now {stored:?}"));
            }
        }
        Ok(())
    }
}

/// What the log holds at a position, and what it showed there before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored {
    now: Option<Shown>,
    before: Option<Shown>,
}

impl Stored {
    /// A message that is deleted by now may be shown as it was or as nothing.
    fn allows(self, shown: Shown) -> bool {
        self.now == Some(shown) || self.before == Some(shown)
    }
}

pub fn stored(tables: &Tables, channel: ChannelId, position: u64) -> Stored {
    let now = tables.entry(channel, Position(position)).map(|entry| match entry {
        Entry::Message(message) => Shown::Message(message.id),
        Entry::Change(_) => Shown::Change,
        Entry::Void { .. } => Shown::Void,
    });
    Stored { now, before: tables.deleted(channel, Position(position)).map(Shown::Message) }
}

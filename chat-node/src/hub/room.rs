//! One channel on this node: its gate and the local connections that follow it.
//!
//! Each follower has been found to be allowed to read under an access version that is not below the gate's. When an
//! entry needs a newer one, or a change was heard of, somebody checks the followers ([`Room::examine`], then
//! [`Room::settle`]); until then the entry waits at the gate.

mod followers;
mod recent;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use self::followers::{Followers, Joined};
use self::recent::Recent;
use super::connections::ConnectionId;
use super::gate::{Gate, Missing};
use super::send_queue::{Haste, SendQueue};
use crate::bus::Following;
use crate::ids::{AccessVersion, ChannelId, Position, UserId};
use crate::protocol::codec::{self, Encoded};
use crate::protocol::message::Entry;
use crate::store::{ChannelKind, Head};

/// More followers than this do not go before the few of another room.
const FEW: usize = 128;
/// Queues that are fetched from memory together: fewer than a core's first cache has room for.
const FETCHED: usize = 64;

/// A channel that somebody on this node follows.
#[derive(Debug)]
pub struct Room {
    /// The channel.
    pub id: ChannelId,
    /// Who may read and write it; never changes.
    pub kind: ChannelKind,
    /// Set once the gate is open; whoever comes first opens it. What is in it keeps the node listening.
    pub opened: OnceCell<Following>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    gate: Gate,
    followers: Followers,
    recent: Option<Recent>,
    filling: bool,
    /// What the log was asked for in vain until the last filling was given up.
    open: Option<Missing>,
    /// The highest access version that was heard of.
    heard: AccessVersion,
    /// Who was checked under less than this may not join.
    examined: AccessVersion,
    checking: bool,
    closed: bool,
}

/// A connection that wants to follow a channel.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The connection.
    pub connection: ConnectionId,
    /// Whose it is.
    pub user: UserId,
    /// Its queue.
    pub queue: SendQueue,
}

/// What became of the wish to follow a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Whatever comes after the position will be queued.
    Joined,
    /// The room is further on: read up to here from the log first.
    Behind(Position),
    /// The room has not come so far.
    Ahead,
    /// Ask again whether the user may read, under this access version or a newer one.
    Outdated(AccessVersion),
    /// The room is no more, or not yet open: open it again.
    Closed,
}

/// What became of something that was let into a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Entries that went through the gate.
    pub entries: usize,
    /// Frames that were queued for connections.
    pub deliveries: usize,
    /// Whether something is missing and nobody has begun to fill it.
    pub begin_fill: bool,
    /// Whether the followers must be checked and nobody has begun to.
    pub begin_check: bool,
}

impl Room {
    pub(super) fn new(id: ChannelId, kind: ChannelKind) -> Self {
        Self { id, kind, opened: OnceCell::new(), state: Mutex::default() }
    }

    /// Takes in what the log has after a position, for [`Room::unread`]; before the gate is opened behind it.
    pub fn recall(&self, after: Position, entries: &[Entry]) {
        let mut recent = Recent::after(after);
        entries.iter().for_each(|entry| recent.take(entry));
        self.state().recent = Some(recent);
    }

    /// Opens the gate behind `last`, for followers that were checked under `access`.
    pub fn open(&self, last: Position, access: AccessVersion) -> Passed {
        let mut state = self.state();
        if state.gate.last().is_none() {
            state.gate.admit(access);
            state.examined = state.examined.max(access);
        }
        let run = state.gate.open(last);
        state.pass(&run)
    }

    /// Lets an entry in: it is queued for every follower when its turn has come.
    pub fn receive(&self, entry: Entry) -> Passed {
        let mut state = self.state();
        let run = state.gate.offer(entry);
        state.pass(&run)
    }

    /// Notes how far the channel is in the store.
    pub fn compare(&self, head: Head) -> Passed {
        let mut state = self.state();
        state.gate.note(head.position);
        state.heard = state.heard.max(head.access);
        if let Some(recent) = &mut state.recent {
            recent.forget_until(head.floor);
        }
        let run = state.gate.skip_until(head.floor);
        state.pass(&run)
    }

    /// Notes that who may read has changed.
    pub fn hear(&self, access: AccessVersion) -> Passed {
        let mut state = self.state();
        state.heard = state.heard.max(access);
        state.pass(&[])
    }

    /// Makes a connection a follower that has seen everything up to `after`, and whose user was found to be allowed to
    /// read under the version `checked`.
    pub fn join(&self, follower: &Follower, after: Position, checked: AccessVersion) -> Join {
        let mut state = self.state();
        match state.gate.last() {
            Some(_) if !state.closed && checked < state.examined => Join::Outdated(state.examined),
            Some(last) if !state.closed => match after.cmp(&last) {
                std::cmp::Ordering::Less => Join::Behind(last),
                std::cmp::Ordering::Greater => Join::Ahead,
                std::cmp::Ordering::Equal => {
                    let Follower { connection, user, queue } = follower.clone();
                    state.followers.join(Joined { connection, user, queue, checked });
                    Join::Joined
                }
            },
            _ => Join::Closed,
        }
    }

    /// The access version that the followers must be checked under; `None` ends the checking, so that the next change
    /// begins a new one.
    pub fn unchecked_or_done(&self) -> Option<AccessVersion> {
        let mut state = self.state();
        let unchecked = state.unchecked();
        state.checking = unchecked.is_some();
        unchecked
    }

    /// Begins to look at the followers under `access`: nobody joins any more who was checked under less. Gives the
    /// version under which all followers were checked at least, and those who were not under this one.
    pub fn examine(&self, access: AccessVersion) -> (AccessVersion, BTreeSet<UserId>) {
        let mut state = self.state();
        state.examined = state.examined.max(access);
        let old = state.followers.iter().filter(|follower| follower.checked < access);
        let users = old.map(|follower| follower.user.clone()).collect();
        (state.gate.access(), users)
    }

    /// Ends that look: takes out those who may not read any more, and lets through what was held until now. Gives the
    /// connections that were taken out.
    pub fn settle(&self, access: AccessVersion, out: &BTreeSet<UserId>) -> (Passed, Vec<ConnectionId>) {
        let mut state = self.state();
        let mut gone = Vec::new();
        for follower in state.followers.iter_mut() {
            if follower.checked < access && out.contains(&follower.user) {
                gone.push(follower.connection);
            }
            follower.checked = follower.checked.max(access);
        }
        for connection in &gone {
            state.followers.leave(*connection);
        }
        let run = state.gate.admit(access);
        (state.pass(&run), gone)
    }

    /// Ends the checking although it was not done; the next entry or comparison begins a new one.
    pub fn give_up_checking(&self) {
        self.state().checking = false;
    }

    /// Who follows.
    pub fn users(&self) -> BTreeSet<UserId> {
        self.state().followers.iter().map(|follower| follower.user.clone()).collect()
    }

    /// Queues a frame that is no entry for every follower; gives how many those are.
    pub fn announce(&self, frame: &Encoded) -> usize {
        let state = self.state();
        state.followers.iter().for_each(|follower| follower.queue.push(frame));
        state.followers.len()
    }

    /// The last position that went through the gate; 0 while it is closed.
    pub fn last(&self) -> Position {
        self.state().gate.last().unwrap_or(Position(0))
    }

    /// How many messages come after `read`, if the one at `last_message` or a later one has gone through. `None`: only
    /// the store knows.
    pub fn unread(&self, (read, last_message): (Position, Position)) -> Option<u8> {
        let state = self.state();
        state.gate.last().filter(|last| *last >= last_message)?;
        state.recent.as_ref()?.count_after(read)
    }

    /// What has to be read from the log.
    pub fn missing(&self) -> Option<Missing> {
        self.state().gate.missing()
    }

    /// The same, for who fills; `None` also ends the filling, so that the next gap begins a new one.
    pub fn missing_or_done(&self) -> Option<Missing> {
        let mut state = self.state();
        let missing = state.gate.missing();
        state.filling = missing.is_some();
        missing
    }

    /// Ends the filling although something is missing; the next entry or comparison begins a new one. `open` is what the
    /// log was asked for and does not have. Gives what it did not have the time before either.
    pub fn give_up_filling(&self, open: Option<Missing>) -> Option<Missing> {
        let mut state = self.state();
        state.filling = false;
        let before = std::mem::replace(&mut state.open, open);
        before.filter(|before| open.is_some_and(|open| open.after == before.after))
    }

    pub(super) fn leave(&self, connection: ConnectionId) {
        self.state().followers.leave(connection);
    }

    /// Closes the room if nobody follows it.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut state = self.state();
        state.closed = state.followers.is_empty();
        state.closed
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass(&mut self, run: &[Entry]) -> Passed {
        if let Some(recent) = &mut self.recent {
            run.iter().for_each(|entry| recent.take(entry));
        }
        if !run.is_empty() && !self.followers.is_empty() {
            let frames: Vec<_> = run.iter().map(codec::encode_entry).collect();
            let haste = if self.followers.len() > FEW { Haste::Bulk } else { Haste::Prompt };
            for followers in self.followers.chunks(FETCHED) {
                followers.iter().for_each(|follower| follower.queue.prefetch());
                followers.iter().for_each(|follower| follower.queue.push_all(&frames, haste));
            }
        }
        let deliveries = run.len() * self.followers.len();
        let begin_fill = !self.filling && self.gate.missing().is_some();
        self.filling |= begin_fill;
        let begin_check = !self.checking && self.unchecked().is_some();
        self.checking |= begin_check;
        Passed { entries: run.len(), deliveries, begin_fill, begin_check }
    }

    fn unchecked(&self) -> Option<AccessVersion> {
        self.gate.last()?;
        self.gate.awaits().max(Some(self.heard)).filter(|needed| *needed > self.gate.access())
    }
}

#[cfg(test)]
mod tests;

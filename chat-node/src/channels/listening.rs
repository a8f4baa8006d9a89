//! From now on the bus brings what is addressed to a user or a channel: what came just before may be missing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Channels;
use crate::bus::Topic;
use crate::hub::room::Room;
use crate::ids::{ChannelId, UserId};
use crate::store::ChannelKind;

/// Who and what comes within this time is looked after together: each look goes through all rooms, and in a storm of
/// sign-ins that would be rooms times users.
const TOGETHER: Duration = Duration::from_millis(50);

/// Who and what waits for a look.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    users: BTreeSet<UserId>,
    rooms: BTreeSet<ChannelId>,
}

impl Newcomers {
    /// `true`: they are the first, and somebody must look soon.
    fn add(&self, new: Waiting) -> bool {
        let mut waiting = self.waiting();
        let are_first = waiting.is_empty() && !new.is_empty();
        waiting.users.extend(new.users);
        waiting.rooms.extend(new.rooms);
        are_first
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting())
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.rooms.is_empty()
    }
}

impl Channels {
    pub(super) fn listening(self: &Arc<Self>, topics: Vec<Topic>) {
        let mut new = Waiting::default();
        for topic in topics {
            match topic {
                // Who has yet to ask for their channels will find what came until now among them.
                Topic::User(user) if !self.hub.connections.has_asked(&user) => {}
                Topic::User(user) => drop(new.users.insert(user)),
                Topic::Channel(channel) => drop(new.rooms.insert(channel)),
            }
        }
        if self.newcomers.add(new) {
            let channels = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(TOGETHER).await;
                channels.look_after_newcomers();
            });
        }
    }

    fn look_after_newcomers(self: &Arc<Self>) {
        let Waiting { users, rooms } = self.newcomers.take();
        let is_theirs = |room: &Arc<Room>| match &room.kind {
            ChannelKind::Direct(members) => members.iter().any(|member| users.contains(member)),
            ChannelKind::Group(_) => false,
        };
        let mut concerned: Vec<_> = rooms.iter().filter_map(|id| self.hub.room(*id)).collect();
        if !users.is_empty() {
            let others = self.hub.rooms().into_iter().filter(|room| !rooms.contains(&room.id));
            concerned.extend(others.filter(is_theirs));
        }
        self.compare_soon(concerned);
        self.introduce_missed_soon(users.into_iter().collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(users: &[&str], rooms: &[u64]) -> Waiting {
        let users = users.iter().map(|name| name.parse().unwrap()).collect();
        Waiting { users, rooms: rooms.iter().copied().map(ChannelId).collect() }
    }

    #[test]
    fn who_comes_while_others_wait_is_looked_after_with_them() {
        let newcomers = Newcomers::default();
        assert!(!newcomers.add(Waiting::default()));
        assert!(newcomers.add(waiting(&["ada"], &[])));
        assert!(!newcomers.add(waiting(&["bob", "ada"], &[7])));
        let Waiting { users, rooms } = newcomers.take();
        assert_eq!((users, rooms), (waiting(&["ada", "bob"], &[]).users, BTreeSet::from([ChannelId(7)])));
        assert!(newcomers.take().is_empty());
        assert!(newcomers.add(waiting(&[], &[8])));
    }
}

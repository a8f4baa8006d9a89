//! From now on the bus brings what is addressed to a user or a channel: what came just before may be missing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Channels;
use crate::bus::Topic;
use crate::hub::room::Room;
use crate::ids::UserId;
use crate::store::ChannelKind;

/// Users who come within this time are looked after together: each look goes through all rooms, and in a storm of
/// sign-ins that would be rooms times users.
const TOGETHER: Duration = Duration::from_millis(50);

/// Users who wait for a look.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Mutex<BTreeSet<UserId>>);

impl Newcomers {
    /// `true`: they are the first, and somebody must look soon.
    fn add(&self, users: Vec<UserId>) -> bool {
        let mut waiting = self.waiting();
        let are_first = waiting.is_empty() && !users.is_empty();
        waiting.extend(users);
        are_first
    }

    fn take(&self) -> BTreeSet<UserId> {
        std::mem::take(&mut *self.waiting())
    }

    /// The lock is never held across a panic, so a poisoned one holds a sound state.
    fn waiting(&self) -> MutexGuard<'_, BTreeSet<UserId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channels {
    pub(super) fn listening(self: &Arc<Self>, topics: Vec<Topic>) {
        let mut users = Vec::new();
        let mut rooms: Vec<Arc<Room>> = Vec::new();
        for topic in topics {
            match topic {
                Topic::User(user) => users.push(user),
                Topic::Channel(channel) => rooms.extend(self.hub.room(channel)),
            }
        }
        if !rooms.is_empty() {
            self.compare_soon(rooms);
        }
        if self.newcomers.add(users) {
            let channels = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(TOGETHER).await;
                channels.look_after_newcomers();
            });
        }
    }

    fn look_after_newcomers(self: &Arc<Self>) {
        let users = self.newcomers.take();
        let concerned = |room: &Arc<Room>| match &room.kind {
            ChannelKind::Group(_) => false,
            ChannelKind::Direct(members) => members.iter().any(|member| users.contains(member)),
        };
        self.compare_soon(self.hub.rooms().into_iter().filter(concerned).collect());
        self.introduce_missed_soon(users.into_iter().collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(names: &[&str]) -> Vec<UserId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn who_comes_while_others_wait_is_looked_after_with_them() {
        let newcomers = Newcomers::default();
        assert!(!newcomers.add(Vec::new()));
        assert!(newcomers.add(users(&["ada"])));
        assert!(!newcomers.add(users(&["bob", "ada"])));
        assert_eq!(newcomers.take().into_iter().collect::<Vec<_>>(), users(&["ada", "bob"]));
        assert!(newcomers.take().is_empty());
        assert!(newcomers.add(users(&["carol"])));
    }
}

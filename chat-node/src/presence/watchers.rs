//! Which connections watch which users.

use std::collections::{BTreeMap, BTreeSet};

use crate::hub::connections::ConnectionId;
use crate::ids::UserId;
use crate::session::Watched;

/// Both directions. Bounded by the connections and what each may watch.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    of_user: BTreeMap<UserId, BTreeSet<ConnectionId>>,
    watched: BTreeMap<ConnectionId, Watched>,
}

impl Watchers {
    /// Makes a connection watch these users and no others.
    pub fn set(&mut self, connection: ConnectionId, users: &Watched) {
        self.remove(connection);
        for user in users {
            self.of_user.entry(user.clone()).or_default().insert(connection);
        }
        if !users.is_empty() {
            self.watched.insert(connection, users.clone());
        }
    }

    pub fn remove(&mut self, connection: ConnectionId) {
        for user in self.watched.remove(&connection).unwrap_or_default() {
            if let Some(connections) = self.of_user.get_mut(&user) {
                connections.remove(&connection);
                if connections.is_empty() {
                    self.of_user.remove(&user);
                }
            }
        }
    }

    /// Who watches a user.
    pub fn of(&self, user: &UserId) -> impl Iterator<Item = ConnectionId> {
        self.of_user.get(user).into_iter().flatten().copied()
    }

    pub fn is_watched(&self, user: &UserId) -> bool {
        self.of_user.contains_key(user)
    }
}

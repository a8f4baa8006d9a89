//! The connections that follow a channel, in the order of their names. Most channels have few, and there are many
//! channels: a tree would hold room for eleven in each.

use crate::hub::connections::ConnectionId;
use crate::hub::send_queue::SendQueue;
use crate::ids::{AccessVersion, UserId};

#[derive(Debug)]
pub(super) struct Joined {
    pub connection: ConnectionId,
    pub user: UserId,
    pub queue: SendQueue,
    /// The version that the user was last found to be allowed to read under.
    pub checked: AccessVersion,
}

#[derive(Debug, Default)]
pub(super) struct Followers(Vec<Joined>);

impl Followers {
    /// Adds a connection, or renews what is known of it.
    pub fn join(&mut self, joined: Joined) {
        match self.place(joined.connection) {
            Ok(place) => self.0[place] = joined,
            Err(place) => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact((self.0.len() / 4).max(1));
                }
                self.0.insert(place, joined);
            }
        }
    }

    pub fn leave(&mut self, connection: ConnectionId) {
        if let Ok(place) = self.place(connection) {
            self.0.remove(place);
        }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Joined> {
        self.0.iter()
    }

    /// So many at a time.
    pub fn chunks(&self, count: usize) -> std::slice::Chunks<'_, Joined> {
        self.0.chunks(count)
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Joined> {
        self.0.iter_mut()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, connection: ConnectionId) -> Result<usize, usize> {
        // Who joins is most often the newest of all.
        match self.0.last() {
            Some(last) if last.connection < connection => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&connection, |joined| joined.connection),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::send_queue::send_queue;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn joined(connection: u64) -> Joined {
        let (queue, _) = send_queue(100);
        let (connection, checked) = (ConnectionId(connection), AccessVersion(0));
        Joined { connection, user: "ada".parse().unwrap(), queue, checked }
    }

    proptest! {
        #[test]
        fn who_has_joined_and_not_left_is_there_once(steps in prop::collection::vec((any::<bool>(), 0_u64..20), 0..60)) {
            let (mut followers, mut there) = (Followers::default(), BTreeSet::new());
            for (joins, connection) in steps {
                if joins {
                    followers.join(joined(connection));
                    there.insert(connection);
                } else {
                    followers.leave(ConnectionId(connection));
                    there.remove(&connection);
                }
                let names: Vec<_> = followers.iter().map(|joined| joined.connection.0).collect();
                prop_assert_eq!(names, there.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}

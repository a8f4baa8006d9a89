//! The users whose envelopes a node wants, and which of them have changed.

use std::collections::{HashMap, HashSet};

use crate::ids::UserId;

/// Connections per user, and users whose binding may have to change. Bounded by the number of users.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    connections: HashMap<UserId, usize>,
    changed: HashSet<UserId>,
}

impl Wanted {
    /// Counts a connection; `true`: it is the user's first.
    pub fn attach(&mut self, user: &UserId) -> bool {
        let count = self.connections.entry(user.clone()).or_default();
        *count += 1;
        let first = *count == 1;
        if first {
            self.changed.insert(user.clone());
        }
        first
    }

    /// Counts a connection less; `true`: it was the user's last.
    pub fn detach(&mut self, user: &UserId) -> bool {
        let Some(count) = self.connections.get_mut(user) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.connections.remove(user);
            self.changed.insert(user.clone());
        }
        last
    }

    pub fn contains(&self, user: &UserId) -> bool {
        self.connections.contains_key(user)
    }

    /// Everyone who is wanted; nothing counts as changed after this.
    pub fn all(&mut self) -> Vec<UserId> {
        self.changed.clear();
        self.connections.keys().cloned().collect()
    }

    /// The users that have changed since the last call, with whether they are wanted now.
    pub fn take_changed(&mut self) -> Vec<(UserId, bool)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|user| (user.clone(), self.contains(&user))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_and_the_last_connection_of_a_user_change_anything() {
        let ada: UserId = "ada".parse().unwrap();
        let mut wanted = Wanted::default();
        assert!(wanted.attach(&ada));
        assert_eq!(wanted.take_changed(), [(ada.clone(), true)]);
        assert!(!wanted.attach(&ada));
        assert!(!wanted.detach(&ada));
        assert_eq!(wanted.take_changed(), []);
        assert!(wanted.detach(&ada));
        assert_eq!(wanted.take_changed(), [(ada.clone(), false)]);
        assert!(!wanted.detach(&ada));
    }

    #[test]
    fn who_comes_and_goes_between_two_looks_is_looked_at_once() {
        let ada: UserId = "ada".parse().unwrap();
        let mut wanted = Wanted::default();
        wanted.attach(&ada);
        wanted.detach(&ada);
        wanted.attach(&ada);
        assert_eq!(wanted.take_changed(), [(ada, true)]);
    }
}

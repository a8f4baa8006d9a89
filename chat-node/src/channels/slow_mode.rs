//! Slow mode: how long a member has to wait between two messages in one channel.
//!
//! Each node remembers when it last saw a message of an author: one that it stored, or one of another node that came
//! through the channel's room. So one node never lets more than one through in the time; where nobody on a node follows
//! the channel, or another node's message is still on its way, one of each node may get through.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::ids::{ChannelId, UserId};

/// The most authors that are remembered; beyond it those go first that may write again.
const MAX: usize = 65_536;

/// When each author may write again.
#[derive(Debug, Default)]
pub struct SlowMode {
    last: HashMap<(ChannelId, UserId), Last>,
}

#[derive(Clone, Debug)]
struct Last {
    nonce: String,
    until: Instant,
}

impl SlowMode {
    /// Takes the author's turn, or says how long to wait. The same message again, by its nonce, needs no turn.
    ///
    /// # Errors
    /// The time until the author's turn.
    pub fn take(
        &mut self,
        (channel, author): (ChannelId, &UserId),
        nonce: &str,
        (pause, now): (Duration, Instant),
    ) -> Result<(), Duration> {
        let key = (channel, author.clone());
        if let Some(last) = self.last.get(&key).filter(|last| last.until > now && last.nonce != nonce) {
            return Err(last.until - now);
        }
        self.note(key, nonce, (pause, now));
        Ok(())
    }

    /// Notes a message that somebody has seen.
    pub fn see(
        &mut self,
        (channel, author): (ChannelId, &UserId),
        nonce: &str,
        (pause, now): (Duration, Instant),
    ) {
        self.note((channel, author.clone()), nonce, (pause, now));
    }

    /// Gives a turn back whose message was not stored.
    pub fn give_back(&mut self, (channel, author): (ChannelId, &UserId), nonce: &str) {
        let key = (channel, author.clone());
        if self.last.get(&key).is_some_and(|last| last.nonce == nonce) {
            self.last.remove(&key);
        }
    }

    fn note(&mut self, key: (ChannelId, UserId), nonce: &str, (pause, now): (Duration, Instant)) {
        if self.last.len() >= MAX {
            self.last.retain(|_, last| last.until > now);
        }
        if self.last.len() >= MAX {
            self.last.clear();
        }
        self.last.insert(key, Last { nonce: nonce.to_owned(), until: now + pause });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);
    const CHANNEL: ChannelId = ChannelId(9);

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    #[test]
    fn one_message_in_the_time_and_the_same_one_again() {
        let (mut slow, ada, now) = (SlowMode::default(), user("ada"), Instant::now());
        assert_eq!(slow.take((CHANNEL, &ada), "1", (PAUSE, now)), Ok(()));
        assert_eq!(slow.take((CHANNEL, &ada), "1", (PAUSE, now)), Ok(()));
        let later = now + Duration::from_secs(4);
        assert_eq!(slow.take((CHANNEL, &ada), "2", (PAUSE, later)), Err(Duration::from_secs(6)));
        assert_eq!(slow.take((ChannelId(8), &ada), "2", (PAUSE, later)), Ok(()));
        assert_eq!(slow.take((CHANNEL, &user("bob")), "2", (PAUSE, later)), Ok(()));
        assert_eq!(slow.take((CHANNEL, &ada), "2", (PAUSE, now + PAUSE)), Ok(()));
    }

    #[test]
    fn a_message_of_another_node_counts_and_one_that_was_not_stored_does_not() {
        let (mut slow, ada, now) = (SlowMode::default(), user("ada"), Instant::now());
        slow.see((CHANNEL, &ada), "far", (PAUSE, now));
        assert_eq!(slow.take((CHANNEL, &ada), "1", (PAUSE, now)), Err(PAUSE));
        let then = now + PAUSE;
        assert_eq!(slow.take((CHANNEL, &ada), "1", (PAUSE, then)), Ok(()));
        slow.give_back((CHANNEL, &ada), "1");
        assert_eq!(slow.take((CHANNEL, &ada), "2", (PAUSE, then)), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut slow, now) = (SlowMode::default(), Instant::now());
        for number in 0..MAX + 10 {
            let _ = slow.take((CHANNEL, &user(&format!("u{number}"))), "1", (PAUSE, now));
        }
        assert!(slow.last.len() <= MAX);
    }
}

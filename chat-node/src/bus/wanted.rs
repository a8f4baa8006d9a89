//! The topics whose envelopes a node wants, and which of them have changed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Topic;

/// How long a channel is still wanted after its last follower has gone.
pub(super) const LINGER: Duration = Duration::from_secs(60);

/// How often each topic is wanted, and which of them have to be looked at. Bounded by what the node's connections
/// want, now and in the last minute.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    counts: HashMap<Topic, usize>,
    lingering: HashMap<Topic, Instant>,
    changed: HashSet<Topic>,
}

impl Wanted {
    /// Wants a topic once more; `true`: it is the first time.
    pub fn add(&mut self, topic: Topic) -> bool {
        let count = self.counts.entry(topic.clone()).or_default();
        *count += 1;
        let first = *count == 1;
        if first {
            self.lingering.remove(&topic);
            self.changed.insert(topic);
        }
        first
    }

    /// Wants a topic once less; `true`: it is not wanted any more, a user's from now on, a channel's after [`LINGER`].
    pub fn remove(&mut self, topic: &Topic, now: Instant) -> bool {
        let Some(count) = self.counts.get_mut(topic) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.counts.remove(topic);
            match topic {
                Topic::User(_) => {
                    self.changed.insert(topic.clone());
                }
                Topic::Channel(_) => {
                    self.lingering.insert(topic.clone(), now + LINGER);
                }
            }
        }
        last
    }

    /// Ends the lingering of the channels whose time has come; `true`: there are such.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.lingering.len();
        let changed = &mut self.changed;
        self.lingering.retain(|topic, until| {
            let stays = *until > now;
            if !stays {
                changed.insert(topic.clone());
            }
            stays
        });
        self.lingering.len() < before
    }

    /// Whether envelopes for it are to arrive.
    pub fn contains(&self, topic: &Topic) -> bool {
        self.counts.contains_key(topic) || self.lingering.contains_key(topic)
    }

    /// Every topic that is wanted.
    pub fn all(&self) -> HashSet<Topic> {
        self.counts.keys().chain(self.lingering.keys()).cloned().collect()
    }

    /// The topics that have changed since the last call, with whether they are wanted now.
    pub fn take_changed(&mut self) -> Vec<(Topic, bool)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|topic| (topic.clone(), self.contains(&topic))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ChannelId;

    fn ada() -> Topic {
        Topic::User("ada".parse().unwrap())
    }

    const CHANNEL: Topic = Topic::Channel(ChannelId(7));

    #[tokio::test(start_paused = true)]
    async fn only_the_first_and_the_last_connection_of_a_user_change_anything() {
        let (mut wanted, now) = (Wanted::default(), Instant::now());
        assert!(wanted.add(ada()));
        assert_eq!(wanted.take_changed(), [(ada(), true)]);
        assert!(!wanted.add(ada()));
        assert!(!wanted.remove(&ada(), now));
        assert_eq!(wanted.take_changed(), []);
        assert!(wanted.remove(&ada(), now));
        assert_eq!(wanted.take_changed(), [(ada(), false)]);
        assert!(!wanted.remove(&ada(), now));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_and_goes_between_two_looks_is_looked_at_once() {
        let (mut wanted, now) = (Wanted::default(), Instant::now());
        wanted.add(ada());
        wanted.remove(&ada(), now);
        wanted.add(ada());
        assert_eq!(wanted.take_changed(), [(ada(), true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_is_wanted_for_a_minute_after_its_last_follower() {
        let (mut wanted, now) = (Wanted::default(), Instant::now());
        wanted.add(CHANNEL);
        wanted.take_changed();
        wanted.remove(&CHANNEL, now);
        assert!(!wanted.expire(now + LINGER - Duration::from_secs(1)));
        assert!(wanted.all().contains(&CHANNEL) && wanted.take_changed().is_empty());
        assert!(wanted.expire(now + LINGER));
        assert_eq!(wanted.take_changed(), [(CHANNEL, false)]);
        assert!(wanted.all().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_is_followed_again_is_looked_at_and_stays() {
        let (mut wanted, now) = (Wanted::default(), Instant::now());
        wanted.add(CHANNEL);
        wanted.remove(&CHANNEL, now);
        wanted.take_changed();
        wanted.add(CHANNEL);
        // Whoever follows it waits to hear that the bus listens, although nothing has to be bound.
        assert_eq!(wanted.take_changed(), [(CHANNEL, true)]);
        assert!(!wanted.expire(now + LINGER * 2) && wanted.contains(&CHANNEL));
    }
}

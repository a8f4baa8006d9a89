//! Every bound of the node in one place, and the buckets that spread commands over time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// What one client, one user and one node may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest frame or body that a client may send, in bytes.
    pub frame_bytes: usize,
    /// How long a new connection may take to identify.
    pub identify: Duration,
    /// How often a client must say something.
    pub heartbeat: Duration,
    /// Commands a minute on one connection; as many may come at once.
    pub commands_per_minute: u32,
    /// Sends of one connection that wait for the store.
    pub pending_sends: usize,
    /// Connections of one user on this node.
    pub connections_per_user: usize,
    /// Connections from one address to this node.
    pub connections_per_address: usize,
    /// Connections on this node.
    pub connections_per_node: usize,
    /// What may wait to be written to one connection, in bytes.
    pub send_queue_bytes: usize,
    /// How long one write to a connection may take.
    pub write: Duration,
    /// What the answer to one poll may hold, in bytes, unless its first frames alone are longer.
    pub poll_bytes: usize,
    /// The longest that a poll may wait.
    pub poll_wait: Duration,
    /// How often a stream of events says something, so that nobody on the way takes it for dead.
    pub stream_heartbeat: Duration,
    /// HTTP connections on one port, without those that became WebSockets.
    pub http_connections: usize,
    /// How long a new HTTP connection may take to ask for something.
    pub first_request: Duration,
    /// How long an HTTP connection may be idle, and how long the head of a request may take. Longer than the 60 s for
    /// which usual proxies keep a connection, so that they never write into one that is being closed.
    pub keep_alive: Duration,
    /// How long a request may take, unless its answer is meant to be held back.
    pub request: Duration,
    /// Requests a minute of one user; as many may come at once.
    pub requests_per_minute_user: u32,
    /// Requests a minute of one address; as many may come at once. There may be many users behind one.
    pub requests_per_minute_address: u32,
    /// Users and addresses whose requests are counted apart; any more share one count.
    pub rate_table: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 16 * 1024,
            identify: Duration::from_secs(10),
            heartbeat: Duration::from_secs(30),
            commands_per_minute: 120,
            pending_sends: 32,
            connections_per_user: 20,
            connections_per_address: 5_000,
            connections_per_node: 20_000,
            send_queue_bytes: 1024 * 1024,
            write: Duration::from_secs(20),
            poll_bytes: 256 * 1024,
            poll_wait: Duration::from_secs(50),
            stream_heartbeat: Duration::from_secs(15),
            http_connections: 8_192,
            first_request: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            request: Duration::from_secs(30),
            requests_per_minute_user: 600,
            requests_per_minute_address: 3_000,
            rate_table: 65_536,
        }
    }
}

/// Most characters of a message.
pub const CONTENT_CHARS: usize = 4_000;
/// Most characters of a nonce.
pub const NONCE_CHARS: usize = 64;
/// Most users whose presence one connection can watch.
pub const WATCHED_MAX: usize = 100;
/// How often a connection's user is said to be writing in one channel.
pub const TYPING_INTERVAL: Duration = Duration::from_secs(3);
/// Most characters of a shown name.
pub const NAME_CHARS: usize = 64;

/// Whether `text` may be shown as somebody's name.
pub fn is_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=NAME_CHARS).contains(&length) && text.trim() == text && !text.chars().any(char::is_control)
}

/// How often something may happen, by the generic cell rate algorithm (ITU-T I.371): per key, one instant is all its
/// state.
#[derive(Clone, Copy, Debug)]
struct Rate {
    interval: Duration,
    tolerance: Duration,
}

impl Rate {
    fn per_minute(per_minute: u32) -> Self {
        let interval = Duration::from_secs(60) / per_minute.max(1);
        Self { interval, tolerance: interval * (per_minute.max(1) - 1) }
    }

    /// The state after a token was taken, or how long to wait for one. A state in the past is a full bucket.
    fn take(self, state: Option<Instant>, now: Instant) -> Result<Instant, Duration> {
        let next = state.unwrap_or(now).max(now);
        let ahead = next - now;
        if ahead > self.tolerance { Err(ahead - self.tolerance) } else { Ok(next + self.interval) }
    }
}

/// A bucket of tokens.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    state: Option<Instant>,
}

impl Bucket {
    /// A bucket for `per_minute` tokens a minute (at least 1), all of which may be taken at once.
    pub fn per_minute(per_minute: u32) -> Self {
        Self { rate: Rate::per_minute(per_minute), state: None }
    }

    /// Takes a token, or says how long to wait for one.
    ///
    /// # Errors
    /// The time until there is a token.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.state = Some(self.rate.take(self.state, now)?);
        Ok(())
    }
}

/// A bucket for each of many, of which only those that are not full are remembered.
#[derive(Clone, Debug)]
pub struct Buckets<K> {
    rate: Rate,
    capacity: usize,
    states: HashMap<K, Instant>,
    others: Option<Instant>,
    swept: Option<Instant>,
}

/// How often a full table is searched for buckets that need not be remembered any more.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets for `per_minute` tokens a minute (at least 1), of which at most `capacity` are told apart: whoever finds
    /// the table full shares one bucket with all others who do.
    pub fn per_minute(per_minute: u32, capacity: usize) -> Self {
        let rate = Rate::per_minute(per_minute);
        Self { rate, capacity, states: HashMap::new(), others: None, swept: None }
    }

    /// Takes a token of `key`, or says how long to wait for one.
    ///
    /// # Errors
    /// The time until there is a token.
    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        if let Some(state) = self.states.get_mut(&key) {
            *state = self.rate.take(Some(*state), now)?;
            return Ok(());
        }
        if self.states.len() >= self.capacity {
            self.sweep(now);
        }
        if self.states.len() >= self.capacity {
            self.others = Some(self.rate.take(self.others, now)?);
        } else {
            self.states.insert(key, self.rate.take(None, now)?);
        }
        Ok(())
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_EVERY) {
            self.states.retain(|_, state| *state > now);
            self.swept = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_gives_a_burst_and_then_a_rate() {
        let mut bucket = Bucket::per_minute(120);
        let start = Instant::now();
        for _ in 0..120 {
            bucket.take(start).unwrap();
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(500)));
        bucket.take(start + Duration::from_millis(500)).unwrap();
        assert!(bucket.take(start + Duration::from_millis(500)).is_err());
    }

    #[test]
    fn a_rested_bucket_is_full_and_not_fuller() {
        let mut bucket = Bucket::per_minute(2);
        let start = Instant::now();
        bucket.take(start).unwrap();
        let later = start + Duration::from_secs(3_600);
        bucket.take(later).unwrap();
        bucket.take(later).unwrap();
        assert!(bucket.take(later).is_err());
    }

    #[test]
    fn each_has_a_bucket_and_a_full_table_forgets_the_rested() {
        let mut buckets = Buckets::per_minute(60, 2);
        let start = Instant::now();
        for _ in 0..60 {
            buckets.take("ada", start).unwrap();
        }
        assert_eq!(buckets.take("ada", start), Err(Duration::from_secs(1)));
        buckets.take("bob", start).unwrap();
        // Bob's bucket is full again after a second, so there is room for Carol; Ada's is not.
        let later = start + Duration::from_secs(1);
        buckets.take("carol", later).unwrap();
        assert_eq!(buckets.states.len(), 2);
        buckets.take("ada", later).unwrap();
        assert!(buckets.take("ada", later).is_err());
    }

    #[test]
    fn those_who_find_the_table_full_share_a_bucket() {
        let mut buckets = Buckets::per_minute(2, 1);
        let start = Instant::now();
        buckets.take(0, start).unwrap();
        buckets.take(1, start).unwrap();
        buckets.take(2, start).unwrap();
        assert!(buckets.take(3, start).is_err());
        assert_eq!(buckets.states.len(), 1);
        buckets.take(0, start).unwrap();
    }

    proptest! {
        #[test]
        fn no_order_of_takes_gives_more_than_burst_and_rate(
            per_minute in 1_u32..200,
            waits in prop::collection::vec(0_u64..5_000, 1..200),
        ) {
            let mut bucket = Bucket::per_minute(per_minute);
            let (start, mut now, mut taken) = (Instant::now(), Instant::now(), 0);
            for wait in waits {
                now += Duration::from_millis(wait);
                taken += u32::from(bucket.take(now).is_ok());
            }
            let passed = (now - start).as_secs_f64() / 60.0;
            prop_assert!(f64::from(taken) <= f64::from(per_minute) * (1.0 + passed) + 1.0);
        }

        #[test]
        fn a_table_never_grows_beyond_its_capacity(keys in prop::collection::vec(0_u16..50, 0..300)) {
            let mut buckets = Buckets::per_minute(1, 8);
            let mut now = Instant::now();
            for key in keys {
                now += Duration::from_secs(3);
                let _ = buckets.take(key, now);
                prop_assert!(buckets.states.len() <= 8);
            }
        }
    }

    #[test]
    fn names_are_short_and_printable() {
        assert!(is_name("Ada Lovelace") && is_name("é"));
        for name in ["", " ada", "a\nb", &"x".repeat(65)] {
            assert!(!is_name(name), "{name:?} was taken");
        }
    }
}

//! Every bound of the node in one place, and the bucket that spreads commands over time.

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
    /// Connections on this node.
    pub connections_per_node: usize,
    /// What may wait to be written to one connection, in bytes.
    pub send_queue_bytes: usize,
    /// How long one write to a connection may take.
    pub write: Duration,
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
            connections_per_node: 20_000,
            send_queue_bytes: 1024 * 1024,
            write: Duration::from_secs(20),
        }
    }
}

/// Most characters of a message.
pub const CONTENT_CHARS: usize = 4_000;
/// Most characters of a nonce.
pub const NONCE_CHARS: usize = 64;
/// Most characters of a shown name.
pub const NAME_CHARS: usize = 64;

/// Whether `text` may be shown as somebody's name.
pub fn is_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=NAME_CHARS).contains(&length) && text.trim() == text && !text.chars().any(char::is_control)
}

/// A leaky bucket in the form of the generic cell rate algorithm (ITU-T I.371): one instant is all its state.
#[derive(Clone, Debug)]
pub struct Bucket {
    interval: Duration,
    tolerance: Duration,
    next: Option<Instant>,
}

impl Bucket {
    /// A bucket for `per_minute` tokens a minute (at least 1), all of which may be taken at once.
    pub fn per_minute(per_minute: u32) -> Self {
        let interval = Duration::from_secs(60) / per_minute.max(1);
        Self { interval, tolerance: interval * (per_minute.max(1) - 1), next: None }
    }

    /// Takes a token, or says how long to wait for one.
    ///
    /// # Errors
    /// The time until there is a token.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let next = self.next.unwrap_or(now).max(now);
        let ahead = next - now;
        if ahead > self.tolerance {
            return Err(ahead - self.tolerance);
        }
        self.next = Some(next + self.interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
    fn names_are_short_and_printable() {
        assert!(is_name("Ada Lovelace") && is_name("é"));
        for name in ["", " ada", "a\nb", &"x".repeat(65)] {
            assert!(!is_name(name), "{name:?} was taken");
        }
    }
}

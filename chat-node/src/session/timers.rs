//! Why a session wakes up by itself, and when.

use std::time::{Duration, Instant};

/// How long a client may stay after the moment at which it was told to go.
pub(super) const RECONNECT_GRACE: Duration = Duration::from_secs(2);

/// A reason to wake up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The client has not identified.
    IdentifyDeadline,
    /// The client has said nothing for two heartbeat intervals.
    HeartbeatDeadline,
    /// The client's token ends.
    TokenExpiry,
    /// The client was told to go elsewhere and is still here.
    Restart,
    /// Nothing has come for a client that polls.
    PollEnd,
}

const ALL: [Wake; 5] =
    [Wake::IdentifyDeadline, Wake::HeartbeatDeadline, Wake::TokenExpiry, Wake::Restart, Wake::PollEnd];

/// One instant per reason.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: [Option<Instant>; ALL.len()],
}

impl Timers {
    pub fn set(&mut self, wake: Wake, at: Instant) {
        self.at[wake as usize] = Some(at);
    }

    /// Sets an instant where there is none.
    pub fn set_once(&mut self, wake: Wake, at: Instant) {
        self.at[wake as usize].get_or_insert(at);
    }

    pub fn clear(&mut self, wake: Wake) {
        self.at[wake as usize] = None;
    }

    /// The first instant, with its reason.
    pub fn next(&self) -> Option<(Instant, Wake)> {
        let set = ALL.into_iter().filter_map(|wake| self.at[wake as usize].map(|at| (at, wake)));
        set.min_by_key(|(at, _)| *at)
    }

    /// The first reason whose instant has come; it is cleared.
    pub fn expired(&mut self, now: Instant) -> Option<Wake> {
        let (_, wake) = self.next().filter(|(at, _)| *at <= now)?;
        self.clear(wake);
        Some(wake)
    }
}

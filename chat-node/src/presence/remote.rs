//! What is known of another node's users.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::ids::UserId;

/// Most users of one node.
const USERS_MAX: usize = 50_000;
/// How long to wait for an answer before asking again.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// Another node, as far as it has told.
#[derive(Debug)]
pub(super) struct Remote {
    pub users: BTreeSet<UserId>,
    pub heard: Instant,
    /// Of the last changes that are in `users`; `None`: nothing complete has come yet.
    version: Option<u64>,
    /// Whether it has told something that did not come.
    is_behind: bool,
    asked: Option<Instant>,
    arriving: Option<Arriving>,
}

/// A snapshot of which some parts are there.
#[derive(Debug)]
struct Arriving {
    version: u64,
    next: u32,
    users: BTreeSet<UserId>,
}

/// A part of a snapshot.
pub(super) struct Part<'a> {
    pub version: u64,
    pub part: u32,
    pub parts: u32,
    pub users: &'a [UserId],
}

impl Remote {
    pub fn new(now: Instant) -> Self {
        let users = BTreeSet::new();
        Self { users, heard: now, version: None, is_behind: false, asked: None, arriving: None }
    }

    /// Whether changes of this version are the next; those before are known, those after show that some are missing.
    pub fn is_next(&mut self, version: u64) -> bool {
        let known = self.version.unwrap_or(0);
        if version == known + 1 {
            self.version = Some(version);
            return true;
        }
        self.is_behind |= version > known;
        false
    }

    /// Notes that there are changes up to this version.
    pub fn note(&mut self, version: u64) {
        self.is_behind |= version > self.version.unwrap_or(0);
    }

    /// Adds a user; `true`: that is new.
    pub fn add(&mut self, user: &UserId) -> bool {
        self.users.len() < USERS_MAX && self.users.insert(user.clone())
    }

    /// Takes a part of a snapshot; gives all users when it was the last one missing and says more than was known.
    pub fn arrive(&mut self, part: &Part<'_>) -> Option<BTreeSet<UserId>> {
        if part.part == 0 {
            self.arriving = Some(Arriving { version: part.version, next: 0, users: BTreeSet::new() });
        }
        let mut arriving = self.arriving.take()?;
        let fits = arriving.version == part.version && arriving.next == part.part;
        if !fits || arriving.users.len() + part.users.len() > USERS_MAX {
            return None;
        }
        arriving.users.extend(part.users.iter().cloned());
        arriving.next += 1;
        if arriving.next < part.parts {
            self.arriving = Some(arriving);
            return None;
        }
        if arriving.version < self.version.unwrap_or(0) {
            return None;
        }
        self.version = Some(arriving.version);
        self.is_behind = false;
        Some(arriving.users)
    }

    /// Whether to ask for a snapshot now.
    pub fn asks(&mut self, now: Instant) -> bool {
        let is_time = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASK_AGAIN);
        let asks = self.is_behind && is_time;
        if asks {
            self.asked = Some(now);
        }
        asks
    }
}

//! That a user is on this node: what is addressed to them comes here. A user who polls is also here between two polls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Gateway;
use crate::bus::Bus;
use crate::ids::UserId;
use crate::presence::Presence;

/// How long after a poll its user may still come back.
const LINGER: Duration = Duration::from_secs(30);
/// Most users who are waited for.
const LINGERING_MAX: usize = 10_000;

/// One reason for a user to be on this node; taken back when dropped.
#[derive(Debug)]
pub struct Attachment {
    bus: Arc<dyn Bus>,
    presence: Arc<Presence>,
    user: UserId,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.bus.detach(&self.user);
        self.presence.left(&self.user);
    }
}

impl Gateway {
    /// The attachment that the user's last poll has left here, or a new one.
    pub(super) fn attach(&self, user: &UserId) -> Attachment {
        self.lingering.take(user).unwrap_or_else(|| {
            self.bus.attach(user);
            self.presence.arrived(user);
            let (bus, presence) = (Arc::clone(&self.bus), Arc::clone(&self.presence));
            Attachment { bus, presence, user: user.clone() }
        })
    }
}

/// Attachments between two polls.
#[derive(Debug, Default)]
pub struct Lingering {
    kept: Mutex<BTreeMap<UserId, (Instant, Attachment)>>,
}

impl Lingering {
    /// Keeps an attachment for the user's next poll; one per user.
    pub(super) fn keep(&self, attachment: Attachment) {
        let mut kept = self.kept();
        if kept.len() < LINGERING_MAX || kept.contains_key(&attachment.user) {
            let replaced = kept.insert(attachment.user.clone(), (Instant::now() + LINGER, attachment));
            drop(kept);
            drop(replaced);
        }
    }

    /// Ends the attachments of those who have not come back.
    pub fn sweep(&self) {
        let now = Instant::now();
        let over: Vec<_> = self.kept().extract_if(.., |_, (until, _)| *until <= now).collect();
        drop(over);
    }

    fn take(&self, user: &UserId) -> Option<Attachment> {
        self.kept().remove(user).map(|(_, attachment)| attachment)
    }

    /// Never held across a panic, so a poisoned one holds a sound state.
    fn kept(&self) -> MutexGuard<'_, BTreeMap<UserId, (Instant, Attachment)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

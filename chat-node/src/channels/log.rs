//! A channel as a log without holes, on any [`Store`].
//!
//! Appending reserves positions in one atomic step, then stores the entries at them. Who reserves must fill: an
//! entry that turns out to be known leaves a void. A writer that died in between leaves a hole; a reader that
//! meets it waits a moment and seals it with a void; one at the end of the log is sealed by [`Log::seal`]. The store
//! takes only one entry at a position, so the two may race: the loser reserves anew. Safety never depends on time,
//! only how long a hole is waited for.
//!
//! A reservation tells the channel's access version. What was checked under an older one is checked again by the
//! [`Guard`] before it is stored; if it is refused, its position becomes a void.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use async_trait::async_trait;

use super::permit::Right;
use crate::error::Problem;
use crate::ids::lease::{IdError, Ids};
use crate::ids::{AccessVersion, ChannelId, MessageId, Position};
use crate::protocol::message::{Change, ChangeEntry, Composed, Entry, Message, User};
use crate::store::{Store, StoreError};
use queue::{Queues, Waiting};

mod append;
mod batch;
mod queue;
mod range;

/// The most drafts that are appended at once.
pub const BATCH: usize = 64;
/// The most entries that [`Log::range`] returns.
pub const RANGE_LIMIT: u16 = 500;

/// An entry that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whose it is.
    pub author: User,
    /// What it says.
    pub content: Content,
    /// What the author must be allowed to do in the channel.
    pub needs: Right,
    /// The access version that the author was found to be allowed to under.
    pub checked: AccessVersion,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A message.
    Message {
        /// The author's own key for it; a second draft with the same key is the same message.
        nonce: String,
        /// The message.
        composed: Composed,
    },
    /// A change.
    Change(Change),
}

impl Draft {
    /// A message of an author whose right to send was not looked at yet.
    pub fn message(author: User, nonce: String, composed: Composed) -> Self {
        let (needs, checked) = (Right::Send, AccessVersion(0));
        Self { author, content: Content::Message { nonce, composed }, needs, checked }
    }

    /// A change by somebody whose right to send was not looked at yet.
    pub fn change(author: User, change: Change) -> Self {
        let (needs, checked) = (Right::Send, AccessVersion(0));
        Self { author, content: Content::Change(change), needs, checked }
    }
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The message was stored now.
    New(Message),
    /// The message was stored before, as this one.
    Known(Message),
    /// The change was stored.
    Changed(ChangeEntry),
}

impl Appended {
    /// The message, whenever it was stored; `None`: it is a change.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::New(message) | Self::Known(message) => Some(message),
            Self::Changed(_) => None,
        }
    }

    /// The entry's id and place in the log.
    pub fn place(&self) -> (MessageId, Position) {
        match self {
            Self::New(message) | Self::Known(message) => (message.id, message.position),
            Self::Changed(change) => (change.id, change.position),
        }
    }
}

/// Why drafts were not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// There is too much to do already. Nothing was stored; try again in a second.
    #[error("too many messages wait to be stored")]
    Busy,
    /// More than [`BATCH`] drafts at once. Nothing was stored.
    #[error("more than {BATCH} messages at once")]
    TooMany,
    /// The author may not, by what has changed since the draft was checked. Nothing of it was stored.
    #[error("{}", .0.message)]
    Refused(Problem),
    /// The node cannot make ids. Nothing was stored.
    #[error(transparent)]
    Ids(#[from] IdError),
    /// The store failed. With [`StoreError::Unavailable`] the drafts may be stored or not: append them again with
    /// the same nonces to find out.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What stands behind a log.
#[async_trait]
pub trait Guard: Send + Sync {
    /// Checks drafts again that were checked under an older access version than their positions were reserved under;
    /// the verdicts are in their order.
    async fn check(
        &self,
        channel: ChannelId,
        drafts: &[&Draft],
        access: AccessVersion,
    ) -> Vec<Result<(), AppendError>>;

    /// Is told of all that this node stores, before the append returns: `entries` of one channel in order of position,
    /// not always without gaps.
    fn stored(&self, entries: Vec<Entry>);
}

/// A guard that lets everybody through and tells nobody: for a log on its own.
#[derive(Clone, Copy, Debug)]
pub struct Unguarded;

#[async_trait]
impl Guard for Unguarded {
    async fn check(&self, _: ChannelId, drafts: &[&Draft], _: AccessVersion) -> Vec<Result<(), AppendError>> {
        drafts.iter().map(|_| Ok(())).collect()
    }

    fn stored(&self, _: Vec<Entry>) {}
}

/// Appends to and reads from the logs of all channels. Clones share it.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    ids: Ids,
    guard: Box<dyn Guard>,
    queues: Mutex<Queues>,
}

impl Log {
    /// A log with this guard.
    pub fn new(store: Arc<dyn Store>, ids: Ids, guard: impl Guard + 'static) -> Self {
        Self(Arc::new(Shared { store, ids, guard: Box::new(guard), queues: Mutex::default() }))
    }

    /// Appends at most [`BATCH`] drafts to a channel; the results are in the order of the drafts. The channel's
    /// appends of this node follow one another, those that wait are joined. Goes on when the caller gives up.
    ///
    /// # Errors
    /// [`AppendError`]; of several drafts some may be stored all the same.
    pub async fn append(&self, channel: ChannelId, drafts: Vec<Draft>) -> Result<Vec<Appended>, AppendError> {
        if drafts.len() > BATCH {
            return Err(AppendError::TooMany);
        }
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        if self.queues().push(channel, Waiting { drafts, answer })? {
            tokio::spawn(append::drain(self.clone(), channel));
        }
        answered.await.unwrap_or_else(|_| {
            Err(AppendError::Store(StoreError::Unavailable("the append broke off".to_owned())))
        })
    }

    /// The entries after a position, in order and without holes; at most `limit` of them, nor more than
    /// [`RANGE_LIMIT`]. Empty at the end of the log. Takes a moment longer where a hole must be sealed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn range(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        range::read(&*self.0.store, channel, after, limit.clamp(1, RANGE_LIMIT)).await
    }

    /// Puts voids at the positions after `after` up to `until` that have no entry; at most at [`RANGE_LIMIT`] of them.
    /// Their writer, if it lives, finds that out and takes others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seal(&self, channel: ChannelId, after: Position, until: Position) -> Result<(), StoreError> {
        range::seal_open(&*self.0.store, channel, (after, until)).await
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("store", &self.0.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

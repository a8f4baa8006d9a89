//! A channel as a log without holes, on any [`Store`].
//!
//! Appending reserves positions in one atomic step, then stores the entries at them. Who reserves must fill: an
//! entry that turns out to be known leaves a void. A writer that died in between leaves a hole; a reader that
//! meets it waits a moment and seals it with a void. The store takes only one entry at a position, so the two
//! may race: the loser reserves anew. Safety never depends on time, only how long a hole is waited for.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::ids::lease::{IdError, Ids};
use crate::ids::{ChannelId, Position};
use crate::protocol::message::{Change, Composed, Entry, Message, User};
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
pub enum Draft {
    /// A message.
    Message {
        /// Who writes it.
        author: User,
        /// The author's own key for it; a second draft with the same key is the same message.
        nonce: String,
        /// What it says.
        composed: Composed,
    },
    /// A change. It has no key: repeated, it is stored twice, and folding the second one changes nothing more.
    Change {
        /// Who does it.
        by: User,
        /// What changes.
        change: Change,
    },
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was stored now, as this entry; never a void.
    New(Entry),
    /// It was stored before, as this message.
    Known(Message),
}

impl Appended {
    /// The message, whenever it was stored; `None`: it is a change.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::New(Entry::Message(message)) | Self::Known(message) => Some(message),
            Self::New(Entry::Change(_) | Entry::Void { .. }) => None,
        }
    }

    /// Its place in the channel's log.
    pub fn position(&self) -> Position {
        match self {
            Self::New(entry) => entry.position(),
            Self::Known(message) => message.position,
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
    /// The node cannot make ids. Nothing was stored.
    #[error(transparent)]
    Ids(#[from] IdError),
    /// The store failed. With [`StoreError::Unavailable`] the drafts may be stored or not: append them again with
    /// the same nonces to find out.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Is told of all that this node stores, in order of position and before the append returns.
pub trait Observer: Send + Sync {
    /// `entries` of one channel were stored, in order of position but not always without gaps.
    fn stored(&self, entries: Vec<Entry>);
}

impl<F: Fn(Vec<Entry>) + Send + Sync> Observer for F {
    fn stored(&self, entries: Vec<Entry>) {
        self(entries);
    }
}

/// Appends to and reads from the logs of all channels. Clones share it.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    ids: Ids,
    observer: Option<Box<dyn Observer>>,
    queues: Mutex<Queues>,
}

impl Log {
    /// A log that tells nobody of what it stores.
    pub fn new(store: Arc<dyn Store>, ids: Ids) -> Self {
        Self::with(store, ids, None)
    }

    /// A log that tells `observer` of what it stores.
    pub fn observed(store: Arc<dyn Store>, ids: Ids, observer: impl Observer + 'static) -> Self {
        Self::with(store, ids, Some(Box::new(observer)))
    }

    fn with(store: Arc<dyn Store>, ids: Ids, observer: Option<Box<dyn Observer>>) -> Self {
        Self(Arc::new(Shared { store, ids, observer, queues: Mutex::default() }))
    }

    /// Appends at most [`BATCH`] drafts to a channel; the results are in the order of the drafts. The channel's
    /// appends of this node follow one another, those that wait are joined. Goes on when the caller gives up.
    ///
    /// # Errors
    /// [`AppendError`].
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

//! The store inside the process: one file, or memory. The default of a node that runs alone.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, WriteTransaction};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::info;

use super::bucket::BucketLength;
use super::{
    Around, Channel, ChannelStore, Head, Inserted, Lease, LeaseStore, LogStore, Reservation, Reserve, Store,
    StoreError, UserStore,
};
use crate::clock::Clock;
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::message::{Entry, Message, User};
use writer::{Durability, Writer};

mod changes;
mod channels;
mod entries;
mod fault;
mod groups;
mod history;
mod layout;
mod leases;
mod members;
mod reactions;
mod reads;
mod retention;
mod rows;
mod tables;
mod users;
mod writer;

/// Name of the database in the data directory.
const FILE: &str = "chat-node.redb";
const CACHE_BYTES: usize = 64 << 20;
const CALLS_AT_ONCE: usize = 256;
const DEADLINE: Duration = Duration::from_secs(5);

/// A [`Store`] in one file or in memory, for one node.
pub struct Embedded {
    writer: Writer,
    bucket: BucketLength,
    clock: Arc<dyn Clock>,
    turns: Arc<Semaphore>,
}

impl Embedded {
    /// Opens the database in `directory`, and makes both where they are absent. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process uses it, or it cannot be written.
    pub fn open(directory: &Path, bucket: BucketLength, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let unusable = |reason: &dyn fmt::Display| {
            StoreError::Refused(format!(
                "the data directory {} cannot be used: {reason}",
                directory.display()
            ))
        };
        std::fs::create_dir_all(directory).map_err(|error| unusable(&error))?;
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES).set_repair_callback(|repair| {
            info!("the last run did not end cleanly; checking its data: {:.0} %", repair.progress() * 100.0);
        });
        let database = builder.create(directory.join(FILE)).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                unusable(&"another chat node runs on it; stop that one, or give --data another directory")
            }
            error => unusable(&error),
        })?;
        Ok(Self::with(database, bucket, clock))
    }

    /// An empty store that ends with the process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is no memory for it.
    pub fn in_memory(bucket: BucketLength, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let database = Database::builder().create_with_backend(InMemoryBackend::new())?;
        Ok(Self::with(database, bucket, clock))
    }

    fn with(database: Database, bucket: BucketLength, clock: Arc<dyn Clock>) -> Self {
        let turns = Arc::new(Semaphore::new(CALLS_AT_ONCE));
        Self { writer: Writer::new(database), bucket, clock, turns }
    }

    /// Reads at once, on the caller's thread: that takes microseconds, as what is not in the database's cache is in the
    /// system's, and a call on another thread costs ten times as much.
    fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&self.writer.database().begin_read()?)
    }

    /// Writes what must be on disk before the answer.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_with(Durability::Immediate, work).await
    }

    /// Writes what need not be on disk before the answer. It is when something else has to be, at the latest when the
    /// lease is renewed.
    async fn write_lazily<T: Send + 'static>(
        &self,
        work: impl Fn(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_with(Durability::None, work).await
    }

    /// With a bound on how many wait for the disk, and on how long.
    async fn write_with<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl Fn(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = timeout(DEADLINE, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(StoreError::Unavailable("too many calls wait for the disk".to_owned()));
        };
        let written = timeout(DEADLINE, self.writer.write((turn, durability), work)).await;
        written.unwrap_or_else(|_| Err(StoreError::Unavailable("the disk takes too long".to_owned())))
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Embedded {
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError> {
        let (bucket, name) = (self.bucket, official_name.to_owned());
        self.write(move |tx| layout::prepare(tx, bucket, &name)).await
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        Ok(self.clock.wall_ms())
    }
}

#[async_trait]
impl LeaseStore for Embedded {
    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
        let (holder, now_ms) = (holder.to_owned(), self.clock.wall_ms());
        self.write(move |tx| leases::acquire(tx, &holder, now_ms, ttl_ms)).await
    }

    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError> {
        let (lease, expires_ms) = (*lease, self.clock.wall_ms().saturating_add(ttl_ms));
        self.write(move |tx| leases::renew(tx, &lease, expires_ms, use_until_ms)).await
    }

    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
        let lease = *lease;
        self.write(move |tx| leases::release(tx, &lease, used_until_ms)).await
    }
}

#[async_trait]
impl UserStore for Embedded {
    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        // Most are there already, and to look costs no write to the disk.
        if self.user(&user.id).await?.as_ref() == Some(user) {
            return Ok(());
        }
        let user = user.clone();
        // Whatever is written of the user takes it along, and after a crash the next sign-in writes it again.
        self.write_lazily(move |tx| users::put(tx, &user)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.read(|tx| users::get(tx, id))
    }
}

#[async_trait]
impl ChannelStore for Embedded {
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        self.read(|tx| channels::get(tx, id))
    }

    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Head)>, StoreError> {
        self.read(|tx| channels::heads(tx, ids))
    }

    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError> {
        self.read(|tx| channels::of_user(tx, user))
    }

    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        let users = users.clone();
        self.write(move |tx| channels::open_direct(tx, id, &users)).await
    }
}

#[async_trait]
impl LogStore for Embedded {
    async fn reserve(
        &self,
        channel: ChannelId,
        wanted: Reserve,
        now_ms: u64,
    ) -> Result<Reservation, StoreError> {
        // The insert that follows takes it along, and without one nobody has seen it.
        self.write_lazily(move |tx| channels::reserve(tx, channel, wanted, now_ms)).await
    }

    async fn insert(&self, new: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        let (new, bucket) = (new.to_vec(), self.bucket);
        self.write(move |tx| entries::insert(tx, &new, bucket)).await
    }

    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError> {
        self.read(|tx| entries::find_nonce(tx, channel, author, nonce))
    }

    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        self.read(|tx| {
            // While a bucket is being removed, some of it may still be there.
            let floor = channels::floor(tx, channel)?;
            entries::after(tx, channel, after.max(floor), limit)
        })
    }

    async fn history(
        &self,
        channel: ChannelId,
        around: Around,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError> {
        self.read(|tx| history::History::open(tx, channel, self.bucket)?.page(around, limit.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::System;

    fn open(directory: &Path) -> Result<Embedded, StoreError> {
        Embedded::open(directory, BucketLength::default(), Arc::new(System))
    }

    #[test]
    fn a_directory_that_another_node_uses_is_refused_with_a_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let first = open(directory.path()).unwrap();
        let error = open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("another chat node") && error.contains("--data"), "{error}");
        drop(first);
        open(directory.path()).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = open(&file.join("data")).unwrap_err().to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
    }

    #[tokio::test]
    async fn what_was_stored_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let user = User { id: "ada".parse().unwrap(), name: "Ada".to_owned() };
        let store = open(directory.path()).unwrap();
        store.prepare("Official").await.unwrap();
        store.put_user(&user).await.unwrap();
        drop(store);
        assert_eq!(open(directory.path()).unwrap().user(&user.id).await, Ok(Some(user)));
    }

    #[tokio::test]
    async fn a_write_that_panics_breaks_off_and_the_next_one_is_done() {
        let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
        for durability in [Durability::Immediate, Durability::None] {
            let broken: Result<(), _> = store.write_with(durability, |_| panic!("a bug")).await;
            assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
            assert_eq!(store.write_with(durability, |_| Ok(1)).await, Ok(1));
        }
    }

    #[tokio::test]
    async fn a_write_that_panics_does_not_take_others_along() {
        let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
        for durability in [Durability::Immediate, Durability::None] {
            let (before, broken, after) = tokio::join!(
                store.write_with(durability, |_| Ok(1)),
                store.write_with::<()>(durability, |_| panic!("a bug")),
                store.write_with(durability, |_| Ok(2)),
            );
            assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
            assert_eq!((before, after), (Ok(1), Ok(2)));
        }
    }

    #[tokio::test]
    async fn what_comes_while_a_lazy_write_waits_is_written_with_it() {
        let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
        let written = tokio::join!(
            store.write_lazily(|_| Ok(1)),
            store.write(|_| Ok(2)),
            store.write(|_| Err::<(), _>(StoreError::Refused("so".to_owned()))),
            store.write_lazily(|_| Ok(3)),
        );
        assert_eq!(written, (Ok(1), Ok(2), Err(StoreError::Refused("so".to_owned())), Ok(3)));
    }

    #[test]
    fn a_store_that_outlives_its_runtime_goes_on_in_the_next_one() {
        let store = Arc::new(Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap());
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let first = runtime();
        let abandoned = Arc::clone(&store);
        first.spawn(async move { abandoned.write_lazily(|_| Ok(())).await });
        first.block_on(tokio::task::yield_now());
        drop(first);
        assert_eq!(runtime().block_on(store.write_lazily(|_| Ok(1))), Ok(1));
    }

    #[tokio::test]
    async fn a_refused_write_does_not_take_others_along() {
        let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
        store.prepare("Official").await.unwrap();
        let writes =
            (0..40).map(|n| store.reserve(ChannelId(1 + n % 2), Reserve { count: 1, last_message: 1 }, 0));
        let done = futures::future::join_all(writes).await;
        let (good, bad): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        assert_eq!((good.len(), bad.len()), (20, 20));
        assert_eq!(store.channel(ChannelId::OFFICIAL).await.unwrap().unwrap().head, Position(20));
    }
}

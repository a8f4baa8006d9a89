//! A store that fails when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;

use super::{
    Around, Channel, ChannelStore, Inserted, Lease, LeaseStore, LogStore, Reservation, Reserve, Store,
    StoreError, UserStore,
};
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::message::{Entry, Message, User};

/// Another store with faults before and after it.
#[derive(Debug)]
pub(crate) struct Faulty {
    store: Arc<dyn Store>,
    down: AtomicBool,
    lose_inserts: AtomicU32,
    skip_inserts: AtomicU32,
}

impl Faulty {
    pub fn new(store: Arc<dyn Store>) -> Arc<Self> {
        let (down, lose_inserts, skip_inserts) = Default::default();
        Arc::new(Self { store, down, lose_inserts, skip_inserts })
    }

    /// The store without the faults.
    pub fn behind(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// From now on no call is answered, or every call is again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// The next `count` inserts are done, but their answer gets lost.
    pub fn lose_answers_of_inserts(&self, count: u32) {
        self.lose_inserts.store(count, Ordering::SeqCst);
    }

    /// The next `count` inserts get lost on their way.
    pub fn lose_inserts(&self, count: u32) {
        self.skip_inserts.store(count, Ordering::SeqCst);
    }

    fn up(&self) -> Result<&dyn Store, StoreError> {
        if self.down.load(Ordering::SeqCst) { Err(lost()) } else { Ok(&*self.store) }
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("a fault of the test".to_owned())
}

fn one_of(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Store for Faulty {
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError> {
        self.up()?.prepare(official_name).await
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        self.up()?.now_ms().await
    }
}

#[async_trait]
impl LeaseStore for Faulty {
    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
        self.up()?.lease_acquire(holder, ttl_ms).await
    }

    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError> {
        self.up()?.lease_renew(lease, ttl_ms, use_until_ms).await
    }

    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
        self.up()?.lease_release(lease, used_until_ms).await
    }
}

#[async_trait]
impl UserStore for Faulty {
    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.up()?.put_user(user).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.up()?.user(id).await
    }
}

#[async_trait]
impl ChannelStore for Faulty {
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        self.up()?.channel(id).await
    }

    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        self.up()?.heads(ids).await
    }

    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError> {
        self.up()?.direct_channels(user).await
    }

    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        self.up()?.open_direct(id, users).await
    }
}

#[async_trait]
impl LogStore for Faulty {
    async fn reserve(
        &self,
        channel: ChannelId,
        wanted: Reserve,
        now_ms: u64,
    ) -> Result<Reservation, StoreError> {
        self.up()?.reserve(channel, wanted, now_ms).await
    }

    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        if one_of(&self.skip_inserts) {
            return Err(lost());
        }
        let inserted = self.up()?.insert(entries).await?;
        if one_of(&self.lose_inserts) { Err(lost()) } else { Ok(inserted) }
    }

    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError> {
        self.up()?.find_nonce(channel, author, nonce).await
    }

    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        self.up()?.entries_after(channel, after, limit).await
    }

    async fn history(
        &self,
        channel: ChannelId,
        around: Around,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError> {
        self.up()?.history(channel, around, limit).await
    }
}

//! A store in memory, as plain as the contract allows: one lock, one table for each thing, nothing that can fail. The
//! conformance suite of the stores runs on it too, so that what is shown with it holds for the others.

mod channels;
mod leases;
mod log;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_node::clock::Clock;
use chat_node::ids::{ChannelId, MessageId, Position, UserId};
use chat_node::protocol::message::{Entry, Message, User};
use chat_node::store::bucket::BucketLength;
use chat_node::store::layout::{Layout, VERSION};
use chat_node::store::{Channel, Inserted, Lease, Reservation, Store, StoreError};

use self::channels::ChannelRow;
use self::leases::LeaseRow;
use self::log::LogRows;

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Model {
    tables: Arc<Mutex<Tables>>,
    clock: Arc<dyn Clock>,
    bucket: BucketLength,
}

/// What is stored.
#[derive(Debug, Default)]
pub struct Tables {
    layout: Option<Layout>,
    users: BTreeMap<UserId, User>,
    leases: BTreeMap<u16, LeaseRow>,
    channels: BTreeMap<ChannelId, ChannelRow>,
    logs: BTreeMap<ChannelId, LogRows>,
    /// Where each message is.
    messages: BTreeMap<MessageId, (ChannelId, Position)>,
}

impl Model {
    pub fn new(bucket: BucketLength, clock: Arc<dyn Clock>) -> Self {
        Self { tables: Arc::default(), clock, bucket }
    }

    /// The same store with buckets of another length.
    #[allow(dead_code, reason = "only the conformance suite needs it")]
    pub fn with_bucket(&self, bucket: BucketLength) -> Self {
        Self { bucket, ..self.clone() }
    }

    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store's clock says.
    pub fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    pub fn prepare_now(&self, official_name: &str) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let layout = Layout { version: VERSION, bucket_ms: self.bucket.as_millis() };
        tables.layout.get_or_insert(layout).check(self.bucket)?;
        tables.name_official(official_name);
        Ok(())
    }
}

impl Tables {
    pub fn put_user(&mut self, user: &User) {
        self.users.insert(user.id.clone(), user.clone());
    }

    pub fn user(&self, id: &UserId) -> Option<User> {
        self.users.get(id).cloned()
    }
}

#[async_trait]
impl Store for Model {
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError> {
        self.prepare_now(official_name)
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        Ok(self.wall_ms())
    }

    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
        self.tables().lease_acquire(holder, self.wall_ms(), ttl_ms)
    }

    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError> {
        Ok(self.tables().lease_renew(lease, self.wall_ms() + ttl_ms, use_until_ms))
    }

    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
        self.tables().lease_release(lease, used_until_ms);
        Ok(())
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.tables().put_user(user);
        Ok(())
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(self.tables().user(id))
    }

    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        Ok(self.tables().channel(id))
    }

    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        Ok(self.tables().heads(ids))
    }

    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError> {
        Ok(self.tables().direct_channels(user))
    }

    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        self.tables().open_direct(id, users)
    }

    async fn reserve(&self, channel: ChannelId, count: u16, now_ms: u64) -> Result<Reservation, StoreError> {
        self.tables().reserve(channel, count, now_ms)
    }

    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        Ok(self.tables().insert(entries))
    }

    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError> {
        Ok(self.tables().find_nonce(channel, author, nonce))
    }

    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        Ok(self.tables().entries_after(channel, after, limit))
    }

    async fn history(
        &self,
        channel: ChannelId,
        before: Option<MessageId>,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError> {
        Ok(self.tables().history(channel, before, limit))
    }
}

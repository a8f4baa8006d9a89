//! A store that fails when a test says so.

mod grants;
mod groups;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use self::grants::Grants;
use super::bucket::Bucket;
use super::{
    Around, ChangeStore, Channel, ChannelStore, Head, Inserted, Lease, LeaseStore, LogStore, ReadStore,
    Reservation, Reserve, RetentionStore, Store, StoreError, UserStore,
};
use crate::ids::{ChannelId, MessageId, Position, UserId};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::{ChangeEntry, Entry, Message, ReactionCount, User};

/// Another store with faults before and after it.
#[derive(Debug)]
pub(crate) struct Faulty {
    store: Arc<dyn Store>,
    down: AtomicBool,
    calls: AtomicU32,
    lose_inserts: AtomicU32,
    skip_inserts: AtomicU32,
    skip_folds: AtomicU32,
    hold_groups: watch::Sender<bool>,
    group_reads_ms: AtomicU64,
    group_reads: AtomicU32,
    member_lists: AtomicU32,
    /// Faults of the writes that say who may do what.
    pub grants: Grants,
}

impl Faulty {
    pub fn new(store: Arc<dyn Store>) -> Arc<Self> {
        let (down, lose_inserts, skip_inserts, skip_folds) = Default::default();
        let (hold_groups, group_reads, member_lists) = Default::default();
        Arc::new(Self {
            store,
            down,
            calls: AtomicU32::new(0),
            lose_inserts,
            skip_inserts,
            skip_folds,
            hold_groups,
            group_reads_ms: AtomicU64::new(0),
            group_reads,
            member_lists,
            grants: Grants::default(),
        })
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

    /// The next `count` folds get lost on their way.
    pub fn lose_folds(&self, count: u32) {
        self.skip_folds.store(count, Ordering::SeqCst);
    }

    /// From now on groups are read at once but the answers come late: when this is taken back.
    pub fn hold_answers_of_groups(&self, hold: bool) {
        self.hold_groups.send_replace(hold);
    }

    /// From now on groups are read at once but each answer takes so long.
    pub fn slow_answers_of_groups(&self, ms: u64) {
        self.group_reads_ms.store(ms, Ordering::SeqCst);
    }

    /// Does the writes that were on their way.
    pub async fn land_delayed_grants(&self) {
        self.grants.land(&*self.store).await;
    }

    /// How often a group was read.
    pub fn reads_of_groups(&self) -> u32 {
        self.group_reads.load(Ordering::SeqCst)
    }

    /// How often members were listed or counted.
    pub fn lists_of_members(&self) -> u32 {
        self.member_lists.load(Ordering::SeqCst)
    }

    /// How often anything was asked for.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    fn up(&self) -> Result<&dyn Store, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
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

    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Head)>, StoreError> {
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

#[async_trait]
impl ChangeStore for Faulty {
    async fn fold(&self, change: &ChangeEntry) -> Result<(), StoreError> {
        if one_of(&self.skip_folds) {
            return Err(lost());
        }
        self.up()?.fold(change).await
    }

    async fn changes_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.up()?.changes_after(channel, after, limit).await
    }

    async fn set_folded(&self, channel: ChannelId, position: Position) -> Result<(), StoreError> {
        self.up()?.set_folded(channel, position).await
    }

    async fn message(&self, channel: ChannelId, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.up()?.message(channel, id).await
    }

    async fn pinned(&self, channel: ChannelId) -> Result<Vec<Message>, StoreError> {
        self.up()?.pinned(channel).await
    }

    async fn reactions(
        &self,
        messages: &[MessageId],
        viewer: &UserId,
    ) -> Result<Vec<(MessageId, Vec<ReactionCount>)>, StoreError> {
        self.up()?.reactions(messages, viewer).await
    }

    async fn reactors(
        &self,
        message: MessageId,
        emoji: &Emoji,
        page: (Option<&UserId>, u16),
    ) -> Result<Vec<UserId>, StoreError> {
        self.up()?.reactors(message, emoji, page).await
    }
}

#[async_trait]
impl ReadStore for Faulty {
    async fn set_read(
        &self,
        user: &UserId,
        channel: ChannelId,
        position: Position,
    ) -> Result<Position, StoreError> {
        self.up()?.set_read(user, channel, position).await
    }

    async fn reads(
        &self,
        user: &UserId,
        channels: &[ChannelId],
    ) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        self.up()?.reads(user, channels).await
    }

    async fn count_messages(
        &self,
        channel: ChannelId,
        after: Position,
        up_to: u16,
    ) -> Result<u16, StoreError> {
        self.up()?.count_messages(channel, after, up_to).await
    }
}

#[async_trait]
impl RetentionStore for Faulty {
    async fn buckets_before(
        &self,
        bucket: Bucket,
        limit: u16,
    ) -> Result<Vec<(ChannelId, Bucket)>, StoreError> {
        self.up()?.buckets_before(bucket, limit).await
    }

    async fn drop_bucket(&self, channel: ChannelId, bucket: Bucket) -> Result<Position, StoreError> {
        self.up()?.drop_bucket(channel, bucket).await
    }
}

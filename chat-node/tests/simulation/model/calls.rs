//! The contract of a store as calls on its tables, over any way that leads there.

use async_trait::async_trait;
use chat_node::groups::{Concerned, Group, GroupKind, GroupSettings, Member, Override, Role};
use chat_node::ids::{AccessVersion, ChannelId, GroupId, MessageId, Position, Revision, UserId};
use chat_node::protocol::emoji::Emoji;
use chat_node::protocol::message::{ChangeEntry, Entry, Message, ReactionCount, User};
use chat_node::store::bucket::Bucket;
use chat_node::store::{
    Around, ChangeStore, Channel, ChannelStore, GroupStore, Head, Inserted, Lease, LeaseStore, LogStore,
    NewChannel, ReadStore, Reservation, Reserve, RetentionStore, RoleWrite, Seat, Store, StoreError,
    UserStore, Written,
};

use super::Access::{Reads, Writes};
use super::{Reach, Tables};

/// A store that is reached in this way.
#[derive(Debug)]
pub struct Calls<R>(pub R);

#[async_trait]
impl<R: Reach> Store for Calls<R> {
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError> {
        let (name, bucket) = (official_name.to_owned(), self.0.bucket());
        self.0.call(("prepare", Writes), move |tables| tables.prepare(&name, bucket)).await
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        self.0.call(("now_ms", Reads), |tables| Ok(tables.now_ms())).await
    }
}

#[async_trait]
impl<R: Reach> LeaseStore for Calls<R> {
    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
        let holder = holder.to_owned();
        self.0.call(("lease_acquire", Writes), move |tables| tables.lease_acquire(&holder, ttl_ms)).await
    }

    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError> {
        let lease = *lease;
        let renew = move |tables: &mut Tables| Ok(tables.lease_renew(&lease, ttl_ms, use_until_ms));
        self.0.call(("lease_renew", Writes), renew).await
    }

    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
        let lease = *lease;
        let release = move |tables: &mut Tables| Ok(tables.lease_release(&lease, used_until_ms));
        self.0.call(("lease_release", Writes), release).await
    }
}

#[async_trait]
impl<R: Reach> UserStore for Calls<R> {
    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        let user = user.clone();
        self.0.call(("put_user", Writes), move |tables| Ok(tables.put_user(&user))).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let id = id.clone();
        self.0.call(("user", Reads), move |tables| Ok(tables.user(&id))).await
    }
}

#[async_trait]
impl<R: Reach> ChannelStore for Calls<R> {
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        self.0.call(("channel", Reads), move |tables| Ok(tables.channel(id))).await
    }

    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Head)>, StoreError> {
        let ids = ids.to_vec();
        self.0.call(("heads", Reads), move |tables| Ok(tables.heads(&ids))).await
    }

    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError> {
        let user = user.clone();
        self.0.call(("direct_channels", Reads), move |tables| Ok(tables.direct_channels(&user))).await
    }

    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        let users = users.clone();
        self.0.call(("open_direct", Writes), move |tables| tables.open_direct(id, &users)).await
    }
}

#[async_trait]
impl<R: Reach> LogStore for Calls<R> {
    async fn reserve(
        &self,
        channel: ChannelId,
        wanted: Reserve,
        now_ms: u64,
    ) -> Result<Reservation, StoreError> {
        self.0.call(("reserve", Writes), move |tables| tables.reserve(channel, wanted, now_ms)).await
    }

    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        self.0.insert(entries).await
    }

    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError> {
        let (author, nonce) = (author.clone(), nonce.to_owned());
        self.0
            .call(("find_nonce", Reads), move |tables| Ok(tables.find_nonce(channel, &author, &nonce)))
            .await
    }

    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0
            .call(("entries_after", Reads), move |tables| Ok(tables.entries_after(channel, after, limit)))
            .await
    }

    async fn history(
        &self,
        channel: ChannelId,
        around: Around,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError> {
        self.0.call(("history", Reads), move |tables| Ok(tables.history(channel, around, limit))).await
    }
}

#[async_trait]
impl<R: Reach> ChangeStore for Calls<R> {
    async fn fold(&self, change: &ChangeEntry) -> Result<(), StoreError> {
        let change = change.clone();
        self.0.call(("fold", Writes), move |tables| Ok(tables.fold(&change))).await
    }

    async fn changes_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.0
            .call(("changes_after", Reads), move |tables| Ok(tables.changes_after(channel, after, limit)))
            .await
    }

    async fn set_folded(&self, channel: ChannelId, position: Position) -> Result<(), StoreError> {
        self.0.call(("set_folded", Writes), move |tables| Ok(tables.set_folded(channel, position))).await
    }

    async fn message(&self, channel: ChannelId, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.0.call(("message", Reads), move |tables| Ok(tables.message(channel, id))).await
    }

    async fn pinned(&self, channel: ChannelId) -> Result<Vec<Message>, StoreError> {
        self.0.call(("pinned", Reads), move |tables| Ok(tables.pinned(channel))).await
    }

    async fn reactions(
        &self,
        messages: &[MessageId],
        viewer: &UserId,
    ) -> Result<Vec<(MessageId, Vec<ReactionCount>)>, StoreError> {
        let (messages, viewer) = (messages.to_vec(), viewer.clone());
        self.0.call(("reactions", Reads), move |tables| Ok(tables.reactions(&messages, &viewer))).await
    }

    async fn reactors(
        &self,
        message: MessageId,
        emoji: &Emoji,
        (after, limit): (Option<&UserId>, u16),
    ) -> Result<Vec<UserId>, StoreError> {
        let (emoji, after) = (emoji.clone(), after.cloned());
        let read = move |tables: &mut Tables| Ok(tables.reactors(message, &emoji, (after.as_ref(), limit)));
        self.0.call(("reactors", Reads), read).await
    }
}

#[async_trait]
impl<R: Reach> GroupStore for Calls<R> {
    async fn create_group(
        &self,
        id: GroupId,
        kind: &GroupKind,
        settings: &GroupSettings,
    ) -> Result<Group, StoreError> {
        let (kind, settings) = (kind.clone(), settings.clone());
        self.0
            .call(("create_group", Writes), move |tables| Ok(tables.create_group(id, &kind, &settings)))
            .await
    }

    async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        self.0.call(("group", Reads), move |tables| Ok(tables.group(id))).await
    }

    async fn set_group_settings(
        &self,
        id: GroupId,
        settings: &GroupSettings,
        over: Revision,
    ) -> Result<Written, StoreError> {
        let settings = settings.clone();
        let write = move |tables: &mut Tables| Ok(tables.set_group_settings(id, &settings, over));
        self.0.call(("set_group_settings", Writes), write).await
    }

    async fn set_appointed(
        &self,
        id: GroupId,
        appointed: &[UserId],
        over: Revision,
    ) -> Result<Written, StoreError> {
        let appointed = appointed.to_vec();
        let write = move |tables: &mut Tables| Ok(tables.set_appointed(id, &appointed, over));
        self.0.call(("set_appointed", Writes), write).await
    }

    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        self.0.call(("delete_group", Writes), move |tables| Ok(tables.delete_group(id))).await
    }

    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError> {
        let concerned = concerned.clone();
        self.0.call(("bump", Writes), move |tables| Ok(tables.bump(id, &concerned))).await
    }

    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError> {
        let users = users.to_vec();
        self.0.call(("roles", Reads), move |tables| Ok(tables.roles(group, &users))).await
    }

    async fn seat(&self, group: GroupId, user: &UserId) -> Result<Seat, StoreError> {
        let user = user.clone();
        self.0.call(("seat", Reads), move |tables| Ok(tables.seat(group, &user))).await
    }

    async fn set_role(&self, group: GroupId, write: &RoleWrite) -> Result<Written, StoreError> {
        let write = write.clone();
        self.0.call(("set_role", Writes), move |tables| Ok(tables.set_role(group, &write))).await
    }

    async fn members(
        &self,
        group: GroupId,
        after: Option<&UserId>,
        limit: u16,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.cloned();
        self.0.call(("members", Reads), move |tables| Ok(tables.members(group, after.as_ref(), limit))).await
    }

    async fn count_members(&self, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
        self.0.call(("count_members", Reads), move |tables| Ok(tables.count_members(group, up_to))).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        let user = user.clone();
        self.0.call(("groups_of", Reads), move |tables| Ok(tables.groups_of(&user))).await
    }

    async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, StoreError> {
        let channel = channel.clone();
        self.0.call(("create_channel", Writes), move |tables| Ok(tables.create_channel(&channel))).await
    }

    async fn set_overrides(
        &self,
        channel: ChannelId,
        overrides: &[Override],
        over: Revision,
    ) -> Result<Written, StoreError> {
        let overrides = overrides.to_vec();
        let write = move |tables: &mut Tables| Ok(tables.set_overrides(channel, &overrides, over));
        self.0.call(("set_overrides", Writes), write).await
    }

    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError> {
        self.0.call(("delete_channel", Writes), move |tables| Ok(tables.delete_channel(id))).await
    }

    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
        let groups = groups.to_vec();
        self.0.call(("channels_of", Reads), move |tables| Ok(tables.channels_of(&groups))).await
    }
}

#[async_trait]
impl<R: Reach> ReadStore for Calls<R> {
    async fn set_read(
        &self,
        user: &UserId,
        channel: ChannelId,
        position: Position,
    ) -> Result<Position, StoreError> {
        let user = user.clone();
        self.0.call(("set_read", Writes), move |tables| Ok(tables.set_read(&user, channel, position))).await
    }

    async fn reads(
        &self,
        user: &UserId,
        channels: &[ChannelId],
    ) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        let (user, channels) = (user.clone(), channels.to_vec());
        self.0.call(("reads", Reads), move |tables| Ok(tables.reads(&user, &channels))).await
    }

    async fn count_messages(
        &self,
        channel: ChannelId,
        after: Position,
        up_to: u16,
    ) -> Result<u16, StoreError> {
        let count = move |tables: &mut Tables| Ok(tables.count_messages(channel, after, up_to));
        self.0.call(("count_messages", Reads), count).await
    }
}

#[async_trait]
impl<R: Reach> RetentionStore for Calls<R> {
    async fn buckets_before(
        &self,
        bucket: Bucket,
        limit: u16,
    ) -> Result<Vec<(ChannelId, Bucket)>, StoreError> {
        let length = self.0.bucket();
        let read = move |tables: &mut Tables| Ok(tables.buckets_before(bucket, limit, length));
        self.0.call(("buckets_before", Reads), read).await
    }

    async fn drop_bucket(&self, channel: ChannelId, bucket: Bucket) -> Result<Position, StoreError> {
        let length = self.0.bucket();
        let write = move |tables: &mut Tables| Ok(tables.drop_bucket(channel, bucket, length));
        self.0.call(("drop_bucket", Writes), write).await
    }
}

//! Groups of a store that fails when a test says so.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use super::Faulty;
use super::grants::Grant;
use crate::groups::{Concerned, Group, GroupKind, GroupSettings, Member, Override, Role};
use crate::ids::{AccessVersion, ChannelId, GroupId, Revision, UserId};
use crate::store::{Channel, GroupStore, NewChannel, RoleWrite, Seat, StoreError, Written};

#[async_trait]
impl GroupStore for Faulty {
    async fn create_group(
        &self,
        id: GroupId,
        kind: &GroupKind,
        settings: &GroupSettings,
    ) -> Result<Group, StoreError> {
        self.up()?.create_group(id, kind, settings).await
    }

    async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        self.group_reads.fetch_add(1, Ordering::SeqCst);
        let group = self.up()?.group(id).await;
        match self.group_reads_ms.load(Ordering::SeqCst) {
            0 => {}
            ms => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
        let _ = self.hold_groups.subscribe().wait_for(|hold| !hold).await;
        group
    }

    async fn set_group_settings(
        &self,
        id: GroupId,
        settings: &GroupSettings,
        over: Revision,
    ) -> Result<Written, StoreError> {
        self.grants.write(self.up()?, Grant::Settings(id, settings.clone(), over)).await
    }

    async fn set_appointed(
        &self,
        id: GroupId,
        appointed: &[UserId],
        over: Revision,
    ) -> Result<Written, StoreError> {
        self.up()?.set_appointed(id, appointed, over).await
    }

    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        self.up()?.delete_group(id).await
    }

    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError> {
        self.up()?.bump(id, concerned).await
    }

    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError> {
        self.up()?.roles(group, users).await
    }

    async fn seat(&self, group: GroupId, user: &UserId) -> Result<Seat, StoreError> {
        self.up()?.seat(group, user).await
    }

    async fn set_role(&self, group: GroupId, write: &RoleWrite) -> Result<Written, StoreError> {
        self.grants.write(self.up()?, Grant::Role(group, write.clone())).await
    }

    async fn members(
        &self,
        group: GroupId,
        after: Option<&UserId>,
        limit: u16,
    ) -> Result<Vec<Member>, StoreError> {
        self.member_lists.fetch_add(1, Ordering::SeqCst);
        self.up()?.members(group, after, limit).await
    }

    async fn count_members(&self, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
        self.member_lists.fetch_add(1, Ordering::SeqCst);
        self.up()?.count_members(group, up_to).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        self.up()?.groups_of(user).await
    }

    async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, StoreError> {
        self.up()?.create_channel(channel).await
    }

    async fn set_overrides(
        &self,
        channel: ChannelId,
        overrides: &[Override],
        over: Revision,
    ) -> Result<Written, StoreError> {
        self.grants.write(self.up()?, Grant::Overrides(channel, overrides.to_vec(), over)).await
    }

    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError> {
        self.up()?.delete_channel(id).await
    }

    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
        self.up()?.channels_of(groups).await
    }
}

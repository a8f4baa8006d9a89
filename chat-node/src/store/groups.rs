//! Groups, their members and their channels.
//!
//! A change takes three steps: the row (a member's role, a channel's settings), then [`GroupStore::bump`]. Whoever
//! reads a group's version therefore sees at least the rows that it speaks of.

use async_trait::async_trait;

use super::{Channel, NewChannel, StoreError};
use crate::groups::{Concerned, Group, GroupKind, GroupSettings, Member, Override, Role};
use crate::ids::{AccessVersion, ChannelId, GroupId, UserId};

/// The groups there are.
#[async_trait]
pub trait GroupStore {
    /// Makes a group with version 1, and its owner's row; nothing if it is there.
    async fn create_group(
        &self,
        id: GroupId,
        kind: &GroupKind,
        settings: &GroupSettings,
    ) -> Result<Group, StoreError>;

    /// A group.
    async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError>;

    /// Writes new settings; nothing if the group is gone.
    async fn set_group_settings(&self, id: GroupId, settings: &GroupSettings) -> Result<(), StoreError>;

    /// Removes a group with its members' rows and channels; their entries are left to retention.
    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError>;

    /// Says that a change is written, and whom it concerned: the group's version grows by one and the last changes
    /// are noted in one atomic step, then the access version of each of its channels rises to it. Gives the new
    /// version; `None`: the group is gone.
    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError>;

    /// The rows of those of `users` (at most 500) that have one, in any order.
    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError>;

    /// Writes a member's role, `None` removes the row. `since_ms` counts only where there was no row.
    async fn set_role(
        &self,
        group: GroupId,
        member: (&UserId, Option<Role>),
        since_ms: u64,
    ) -> Result<(), StoreError>;

    /// At most `limit` rows (1..=500) of a group with users after `after`, in order of user id.
    async fn members(
        &self,
        group: GroupId,
        after: Option<&UserId>,
        limit: u16,
    ) -> Result<Vec<Member>, StoreError>;

    /// How many rows a group has, counted up to `up_to`.
    async fn count_members(&self, group: GroupId, up_to: u32) -> Result<u32, StoreError>;

    /// The groups in which `user` has a row, with the role, at most 101, in order of id.
    async fn groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError>;

    /// Makes a channel of a group; nothing if it is there.
    async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, StoreError>;

    /// Writes what members may do in a channel; nothing if it is gone. Its settings change through its log.
    async fn set_overrides(&self, channel: ChannelId, overrides: &[Override]) -> Result<(), StoreError>;

    /// Removes a channel; its entries are left to retention.
    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError>;

    /// The channels of groups (at most 101), in order of id.
    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError>;
}

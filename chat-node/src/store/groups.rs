//! Groups, their members and their channels.
//!
//! A change takes three steps: the row (a member's role, a channel's settings), then [`GroupStore::bump`]. Whoever
//! reads a group's version therefore sees at least the rows that it speaks of.
//!
//! A row is written only over the revision that the writer has read: a write of unknown outcome that comes late finds
//! another one, and undoes nothing that was written and answered meanwhile. So a row that is removed leaves its revision
//! behind for [`REMEMBERED`].

use std::time::Duration;

use async_trait::async_trait;

use super::{Channel, NewChannel, StoreError};
use crate::groups::{Concerned, Group, GroupKind, GroupSettings, Member, Override, Role};
use crate::ids::{AccessVersion, ChannelId, GroupId, Revision, UserId};

/// How long at least the revision of a removed row is kept: far longer than a write can be late.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);

/// What is stored of a user in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// As what; `None`: there is no row.
    pub role: Option<Role>,
    /// How often it was written; also where the row is removed.
    pub revision: Revision,
}

/// A role that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleWrite {
    /// Whose.
    pub user: UserId,
    /// As what; `None` removes the row.
    pub role: Option<Role>,
    /// Over which [`Seat::revision`].
    pub over: Revision,
    /// Since when, in ms since the Unix epoch; counts only where there was no row.
    pub since_ms: u64,
}

/// What became of a write over a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It holds, perhaps since an earlier try.
    Yes,
    /// There was another revision, or nothing any more: nothing is changed.
    Overtaken,
}

impl Written {
    /// What a write has come to that found another revision: `is_there` says whether the next one is just what it wanted.
    pub(super) fn already(is_there: bool) -> Self {
        if is_there { Self::Yes } else { Self::Overtaken }
    }
}

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

    /// Writes new settings over this [`Group::revision`].
    async fn set_group_settings(
        &self,
        id: GroupId,
        settings: &GroupSettings,
        over: Revision,
    ) -> Result<Written, StoreError>;

    /// Notes whom the configuration makes admins, over this [`Group::revision`].
    async fn set_appointed(
        &self,
        id: GroupId,
        appointed: &[UserId],
        over: Revision,
    ) -> Result<Written, StoreError>;

    /// Removes a group with its members' rows and channels; their entries are left to retention.
    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError>;

    /// Says that a change is written, and whom it concerned: the group's version grows by one and the last changes
    /// are noted in one atomic step, then the access version of each of its channels rises to it. Gives the new
    /// version; `None`: the group is gone.
    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError>;

    /// The rows of those of `users` (at most 500) that have one, in any order.
    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError>;

    /// One user's row, or what is left of it.
    async fn seat(&self, group: GroupId, user: &UserId) -> Result<Seat, StoreError>;

    /// Writes a member's row, or removes it.
    async fn set_role(&self, group: GroupId, write: &RoleWrite) -> Result<Written, StoreError>;

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

    /// Writes what members may do in a channel over this [`Channel::revision`]. Its settings change through its log.
    async fn set_overrides(
        &self,
        channel: ChannelId,
        overrides: &[Override],
        over: Revision,
    ) -> Result<Written, StoreError>;

    /// Removes a channel; its entries are left to retention.
    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError>;

    /// The channels of groups (at most 101), in order of id.
    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError>;
}

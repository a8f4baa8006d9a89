//! Groups of users: who may do what in whose channels. Pure; where groups are kept is the store's matter.

pub mod permission;
pub mod role;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::permission::{Override, OverrideTarget, Permissions};
pub use self::role::Role;
use crate::ids::{AccessVersion, GroupId, Revision, UserId};

/// The most groups of one user, beside the official one.
pub const GROUPS_OF_USER_MAX: usize = 100;
/// The most channels of one group.
pub const CHANNELS_OF_GROUP_MAX: usize = 50;
/// The most members of a private group, banned ones included.
pub const MEMBERS_MAX: usize = 10_000;
/// How many of a group's last changes it remembers.
pub const CHANGES_REMEMBERED: usize = 64;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Who is in it.
    pub kind: GroupKind,
    /// What it shows of itself.
    pub settings: GroupSettings,
    /// Whom the configuration has made admins, of the official group; others may be admins besides.
    pub appointed: Vec<UserId>,
    /// How often settings or appointed admins were replaced.
    pub revision: Revision,
    /// How often it has changed.
    pub version: AccessVersion,
    /// Whom its last changes concerned, oldest first; the last one is that of [`Self::version`].
    pub changes: Vec<Concerned>,
}

/// Who is in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Everyone, without a row for each; there are rows only for staff, muted and banned users.
    Official,
    /// Those who have a row.
    Private {
        /// Who made it.
        owner: UserId,
    },
}

/// What a group shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupSettings {
    /// Shown name, 1 to 64 characters.
    pub name: String,
    /// What it is for, up to 1,024 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
}

/// Whom one change of a group concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concerned {
    /// One member, whose role is another one now.
    User(UserId),
    /// Perhaps every member: the group's or a channel's settings are others now.
    Everyone,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
    /// Since when, in ms since the Unix epoch.
    pub since_ms: u64,
}

impl Group {
    /// Whom the changes after `known` concerned; `None`: more than are remembered.
    pub fn concerned_since(&self, known: AccessVersion) -> Option<&[Concerned]> {
        let missed = usize::try_from(self.version.0.saturating_sub(known.0)).ok()?;
        self.changes.get(self.changes.len().checked_sub(missed)?..)
    }

    /// The role of a user with this row, or without one.
    pub fn role(&self, user: &UserId, row: Option<Role>) -> Option<Role> {
        match &self.kind {
            GroupKind::Private { owner } if owner == user => Some(Role::Owner),
            GroupKind::Private { .. } => row,
            GroupKind::Official => Some(row.unwrap_or(Role::Member)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(kind: GroupKind) -> Group {
        let changes = vec![Concerned::Everyone, Concerned::User("ada".parse().unwrap())];
        let (settings, revision) = (GroupSettings::default(), Revision::default());
        let (id, appointed) = (GroupId(9), Vec::new());
        Group { id, kind, settings, appointed, revision, version: AccessVersion(7), changes }
    }

    #[test]
    fn the_last_changes_are_told_and_older_ones_are_unknown() {
        let group = group(GroupKind::Official);
        assert_eq!(group.concerned_since(AccessVersion(7)), Some(&[][..]));
        assert_eq!(group.concerned_since(AccessVersion(9)), Some(&[][..]));
        assert_eq!(group.concerned_since(AccessVersion(6)), Some(&group.changes[1..]));
        assert_eq!(group.concerned_since(AccessVersion(5)), Some(&group.changes[..]));
        assert_eq!(group.concerned_since(AccessVersion(4)), None);
    }

    #[test]
    fn everyone_is_a_member_of_the_official_group_and_only_rows_make_members_elsewhere() {
        let [ada, bob] = ["ada", "bob"].map(|id| id.parse::<UserId>().unwrap());
        let official = group(GroupKind::Official);
        assert_eq!(official.role(&bob, None), Some(Role::Member));
        assert_eq!(official.role(&bob, Some(Role::Banned)), Some(Role::Banned));
        let private = group(GroupKind::Private { owner: ada.clone() });
        assert_eq!(private.role(&bob, None), None);
        assert_eq!(private.role(&ada, Some(Role::Muted)), Some(Role::Owner));
    }
}

//! What a member is to a group.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a member is to a group; a later one may do less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Made it; may do everything, and nobody can take that away.
    Owner,
    /// Manages members, channels and messages.
    Admin,
    /// Reads and writes.
    Member,
    /// Reads.
    Muted,
    /// Was a member and may not come back.
    Banned,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Member, Self::Muted, Self::Banned];

    /// Whether who has this role may make somebody with the role `before` (`None`: no member) one with the role
    /// `after` (`None`: put out). The owner does all but make or unmake owners; admins handle those below them.
    pub fn may_change(self, before: Option<Self>, after: Option<Self>) -> bool {
        let below = |own: Self| [before, after].into_iter().flatten().all(|role| role > own);
        match self {
            Self::Owner | Self::Admin => below(self),
            Self::Member | Self::Muted | Self::Banned => false,
        }
    }

    /// Whether who has this role changes the group's settings and channels.
    pub fn manages_group(self) -> bool {
        self <= Self::Admin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_handle_only_what_is_below_them() {
        assert!(Role::Owner.may_change(Some(Role::Admin), None));
        assert!(Role::Owner.may_change(None, Some(Role::Admin)));
        assert!(!Role::Owner.may_change(Some(Role::Member), Some(Role::Owner)));
        assert!(Role::Admin.may_change(Some(Role::Member), Some(Role::Banned)));
        assert!(!Role::Admin.may_change(Some(Role::Member), Some(Role::Admin)));
        assert!(!Role::Admin.may_change(Some(Role::Admin), None));
        for role in [Role::Member, Role::Muted, Role::Banned] {
            assert!(!role.may_change(None, Some(Role::Member)));
        }
    }
}

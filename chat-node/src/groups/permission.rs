//! What a user may do in a channel: the role's permissions, then the channel's overrides for the role, then those
//! for the user, as Discord computes them; deny goes before allow within one override.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::role::Role;
use crate::ids::UserId;

/// The most overrides of one channel.
pub const OVERRIDES_MAX: usize = 50;

/// What a user may do in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permissions {
    /// See its messages.
    #[serde(default)]
    pub read: bool,
    /// Write messages and react; needs [`Self::read`].
    #[serde(default)]
    pub send: bool,
    /// Change its settings, delete others' messages, pin; needs [`Self::read`].
    #[serde(default)]
    pub manage: bool,
}

/// Whom an override is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverrideTarget {
    /// Everyone with this role.
    Role(Role),
    /// This user.
    User(UserId),
}

/// What a channel allows or denies to some of its group's members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Override {
    /// To whom.
    pub target: OverrideTarget,
    /// What they may do, whatever their role says.
    #[serde(default)]
    pub allow: Permissions,
    /// What they may not do, whatever their role says.
    #[serde(default)]
    pub deny: Permissions,
}

impl Override {
    /// Leaves members nothing but reading.
    pub fn members_only_read() -> Self {
        let deny = Permissions { send: true, ..Permissions::NONE };
        Self { target: OverrideTarget::Role(Role::Member), allow: Permissions::NONE, deny }
    }
}

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self { read: false, send: false, manage: false };
    /// Read and write, as both users of a direct channel may.
    pub const TALK: Self = Self { read: true, send: true, manage: false };
    /// Everything.
    pub const ALL: Self = Self { read: true, send: true, manage: true };

    /// What `user` with `role` (`None`: no member) may do in a channel with these overrides. Owners and banned users
    /// are beyond overrides.
    pub fn of(user: &UserId, role: Option<Role>, overrides: &[Override]) -> Self {
        let base = match role {
            Some(Role::Owner) => return Self::ALL,
            Some(Role::Banned) | None => return Self::NONE,
            Some(Role::Admin) => Self::ALL,
            Some(Role::Member) => Self::TALK,
            Some(Role::Muted) => Self { read: true, ..Self::NONE },
        };
        let by_role =
            |target: &OverrideTarget| matches!(target, OverrideTarget::Role(of) if Some(*of) == role);
        let by_user = |target: &OverrideTarget| matches!(target, OverrideTarget::User(id) if id == user);
        base.overridden(overrides, by_role).overridden(overrides, by_user).consistent()
    }

    fn overridden(self, overrides: &[Override], wanted: impl Fn(&OverrideTarget) -> bool) -> Self {
        let one = |now: Self, each: &Override| Self {
            read: each.allow.read || now.read && !each.deny.read,
            send: each.allow.send || now.send && !each.deny.send,
            manage: each.allow.manage || now.manage && !each.deny.manage,
        };
        overrides.iter().filter(|each| wanted(&each.target)).fold(self, one)
    }

    /// Who may not read may do nothing else.
    fn consistent(self) -> Self {
        if self.read { self } else { Self::NONE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Permissions = Permissions { read: true, send: false, manage: false };
    const SEND: Permissions = Permissions { read: false, send: true, manage: false };

    fn ada() -> UserId {
        "ada".parse().unwrap()
    }

    fn of(role: Option<Role>, overrides: &[Override]) -> Permissions {
        Permissions::of(&ada(), role, overrides)
    }

    #[test]
    fn a_role_gives_its_permissions() {
        let given = [
            Some(Role::Owner),
            Some(Role::Admin),
            Some(Role::Member),
            Some(Role::Muted),
            Some(Role::Banned),
            None,
        ]
        .map(|role| of(role, &[]));
        let (all, talk, none) = (Permissions::ALL, Permissions::TALK, Permissions::NONE);
        assert_eq!(given, [all, all, talk, READ, none, none]);
    }

    #[test]
    fn an_override_for_the_user_goes_before_one_for_the_role() {
        let for_members =
            Override { target: OverrideTarget::Role(Role::Member), allow: Permissions::NONE, deny: SEND };
        let for_ada = Override { target: OverrideTarget::User(ada()), allow: SEND, deny: Permissions::NONE };
        assert_eq!(of(Some(Role::Member), std::slice::from_ref(&for_members)), READ);
        assert_eq!(of(Some(Role::Member), &[for_ada.clone(), for_members.clone()]), Permissions::TALK);
        assert_eq!(of(Some(Role::Admin), &[for_members]), Permissions::ALL);
        assert_eq!(of(Some(Role::Muted), &[for_ada]), Permissions::TALK);
    }

    #[test]
    fn who_may_not_read_may_do_nothing_and_owners_and_banned_users_are_beyond_overrides() {
        let closed = Override { target: OverrideTarget::User(ada()), allow: Permissions::NONE, deny: READ };
        let open = Override {
            target: OverrideTarget::User(ada()),
            allow: Permissions::ALL,
            deny: Permissions::NONE,
        };
        assert_eq!(of(Some(Role::Admin), std::slice::from_ref(&closed)), Permissions::NONE);
        assert_eq!(of(Some(Role::Owner), &[closed]), Permissions::ALL);
        assert_eq!(of(Some(Role::Banned), &[open]), Permissions::NONE);
    }
}

//! The members of a group.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::history::PageSize;
use super::super::{Channels, problem_of};
use super::channels::is_official;
use super::fence::{decided, unless_overtaken};
use super::{Insider, unknown_group};
use crate::error::{ErrorCode, Problem};
use crate::groups::{Concerned, Group, MEMBERS_MAX, Role};
use crate::ids::{GroupId, Revision, UserId};
use crate::protocol::group::MemberPage;
use crate::store::RoleWrite;

/// Who somebody is in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Membership {
    /// The user.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
}

impl Channels {
    /// The members of a group with ids after one, in order of user id. Banned users are shown to its owner and admins
    /// only. In the official group, where everyone is a member, only staff, muted and banned users are listed, and only
    /// to staff.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Forbidden`], [`ErrorCode::Unavailable`].
    pub async fn members(
        &self,
        user: &UserId,
        id: GroupId,
        (after, size): (Option<&UserId>, PageSize),
    ) -> Result<MemberPage, Problem> {
        let Insider { view, role, .. } = self.insider(user, id).await?;
        let manages = role.manages_group();
        if is_official(&view.group.kind) && !manages {
            let message = "everyone is in the official group; only its admins see who is not just a member";
            return Err(Problem::new(ErrorCode::Forbidden, message));
        }
        let rows = self.store.members(id, after, size.get()).await.map_err(|error| problem_of(&error))?;
        let is_full = rows.len() == usize::from(size.get());
        let next = rows.last().filter(|_| is_full).map(|last| last.user_id.clone());
        let members = rows.into_iter().filter(|member| manages || member.role != Role::Banned).collect();
        Ok(MemberPage { members, next })
    }

    /// What `member` is in a group.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::UnknownUser`] for who is not in it, [`ErrorCode::Unavailable`].
    pub async fn member(&self, user: &UserId, id: GroupId, member: &UserId) -> Result<Membership, Problem> {
        let insider = self.insider(user, id).await?;
        let (role, _) = self.seat(&insider.group, member).await?;
        let shown = role.filter(|role| *role != Role::Banned || insider.role.manages_group());
        let role = shown.ok_or_else(|| no_member(id, member))?;
        Ok(Membership { user_id: member.clone(), role })
    }

    /// Makes somebody a member of a group, or gives a member another role: mutes, bans, makes an admin. Owner and
    /// admins do, each with those below them. Nobody is asked before being added, and everybody may leave. Gives also what
    /// they were before; `None`: no member.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Forbidden`], [`ErrorCode::UnknownUser`], [`ErrorCode::TooMany`] beyond
    /// [`MEMBERS_MAX`] or the groups that one user may be in, [`ErrorCode::Unavailable`].
    pub async fn put_member(
        self: &Arc<Self>,
        by: &UserId,
        id: GroupId,
        membership: Membership,
    ) -> Result<(Membership, Option<Role>), Problem> {
        let before = decided(|| self.try_put_member(by, id, &membership)).await?;
        self.changed(id, Concerned::User(membership.user_id.clone())).await?;
        Ok((membership, before))
    }

    async fn try_put_member(
        &self,
        by: &UserId,
        id: GroupId,
        Membership { user_id: member, role }: &Membership,
    ) -> Result<Option<Option<Role>>, Problem> {
        let Insider { group, role: own, .. } = self.manager(by, id).await?;
        let (before, over) = self.seat(&group, member).await?;
        if by == member || !own.may_change(before, Some(*role)) {
            return Err(not_over(member));
        }
        self.known_user(member).await?;
        if before.is_none() {
            self.has_room_for_groups(member).await?;
            self.has_room_for_members(id).await?;
        }
        if before.is_none() && *role != Role::Banned {
            self.begin_reading(id, member).await?;
        }
        let row = Some(*role).filter(|role| !is_official(&group.kind) || *role != Role::Member);
        Ok(self.write_role(id, (member, row), over).await?.map(|()| before))
    }

    /// Puts somebody out of a group, or takes a ban back; or leaves it. In the official group the member is nothing but
    /// a member afterwards.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Forbidden`], [`ErrorCode::UnknownUser`] for who is not in it,
    /// [`ErrorCode::Unavailable`].
    pub async fn remove_member(
        self: &Arc<Self>,
        by: &UserId,
        id: GroupId,
        member: &UserId,
    ) -> Result<(), Problem> {
        let before = decided(|| self.try_remove_member(by, id, member)).await?;
        self.changed(id, Concerned::User(member.clone())).await?;
        if by == member || before.is_some() { Ok(()) } else { Err(no_member(id, member)) }
    }

    /// Gives what the member was. Also who is none is put out: the last try may have broken off half-way, or somebody
    /// else's, to add them, may still be on its way.
    async fn try_remove_member(
        &self,
        by: &UserId,
        id: GroupId,
        member: &UserId,
    ) -> Result<Option<Option<Role>>, Problem> {
        let Insider { group, role: own, .. } = self.insider(by, id).await?;
        let (before, over) = self.seat(&group, member).await?;
        if by == member {
            may_leave(&group, before)?;
        } else if !own.manages_group() || !own.may_change(before, None) {
            return Err(not_over(member));
        } else if is_official(&group.kind) && before == Some(Role::Member) {
            let message = "everyone is in the official group; ban a user to keep them out";
            return Err(Problem::new(ErrorCode::Forbidden, message));
        }
        Ok(self.write_role(id, (member, None), over).await?.map(|()| before))
    }

    /// Writes a row over the one that a change was decided on.
    async fn write_role(
        &self,
        id: GroupId,
        (member, role): (&UserId, Option<Role>),
        over: Revision,
    ) -> Result<Option<()>, Problem> {
        let since_ms = self.ids.now_ms().map_err(|error| {
            let after = std::time::Duration::from_secs(2);
            Problem::retry(ErrorCode::Unavailable, error.to_string(), after)
        })?;
        let write = RoleWrite { user: member.clone(), role, over, since_ms };
        unless_overtaken(self.store.set_role(id, &write).await, ())
    }

    /// The role that a user has in a group now, and the revision of the row that says so.
    async fn seat(&self, group: &Group, user: &UserId) -> Result<(Option<Role>, Revision), Problem> {
        let seat = self.store.seat(group.id, user).await.map_err(|error| problem_of(&error))?;
        Ok((group.role(user, seat.role), seat.revision))
    }

    async fn has_room_for_members(&self, id: GroupId) -> Result<(), Problem> {
        let limit = u32::try_from(MEMBERS_MAX).unwrap_or(u32::MAX);
        let count = self.store.count_members(id, limit).await.map_err(|error| problem_of(&error))?;
        if count < limit {
            return Ok(());
        }
        let message = format!("a group has at most {MEMBERS_MAX} members, banned ones included");
        Err(Problem::new(ErrorCode::TooMany, message))
    }

    /// What was written before somebody came counts as read.
    async fn begin_reading(&self, id: GroupId, member: &UserId) -> Result<(), Problem> {
        let noting = async {
            for channel in self.store.channels_of(&[id]).await? {
                self.store.set_read(member, channel.id, channel.head).await?;
            }
            Ok(())
        };
        noting.await.map_err(|error: crate::store::StoreError| problem_of(&error))
    }
}

fn may_leave(group: &Group, role: Option<Role>) -> Result<(), Problem> {
    let message = match role {
        _ if is_official(&group.kind) => "everyone is in the official group",
        Some(Role::Owner) => "you own this group; delete it instead",
        Some(Role::Banned) => return Err(unknown_group(group.id)),
        Some(Role::Admin | Role::Member | Role::Muted) | None => return Ok(()),
    };
    Err(Problem::new(ErrorCode::Forbidden, message))
}

fn not_over(member: &UserId) -> Problem {
    let message =
        format!("you cannot change what `{member}` is in this group: only who stands above them can");
    Problem::new(ErrorCode::Forbidden, message)
}

fn no_member(id: GroupId, member: &UserId) -> Problem {
    Problem::new(ErrorCode::UnknownUser, format!("`{member}` is not in group {id}"))
}

//! The members of a group.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::history::PageSize;
use super::super::{Channels, problem_of};
use super::Insider;
use super::channels::is_official;
use crate::error::{ErrorCode, Problem};
use crate::groups::{Concerned, MEMBERS_MAX, Role};
use crate::ids::{GroupId, UserId};
use crate::protocol::group::MemberPage;

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
        let Insider { view, role } = self.insider(user, id).await?;
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
        let role = self.role_in(id, member).await?;
        let shown = role.filter(|role| *role != Role::Banned || insider.role.manages_group());
        let role = shown.ok_or_else(|| no_member(id, member))?;
        Ok(Membership { user_id: member.clone(), role })
    }

    /// Makes somebody a member of a group, or gives a member another role: mutes, bans, makes an admin. Owner and
    /// admins do, each with those below them. Nobody is asked before being added, and everybody may leave.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Forbidden`], [`ErrorCode::UnknownUser`], [`ErrorCode::TooMany`] beyond
    /// [`MEMBERS_MAX`] or the groups that one user may be in, [`ErrorCode::Unavailable`].
    pub async fn put_member(
        self: &Arc<Self>,
        by: &UserId,
        id: GroupId,
        Membership { user_id: member, role }: Membership,
    ) -> Result<Membership, Problem> {
        let Insider { view, role: own } = self.manager(by, id).await?;
        let before = self.role_in(id, &member).await?;
        if *by == member || !own.may_change(before, Some(role)) {
            return Err(not_over(&member));
        }
        self.known_user(&member).await?;
        let official = is_official(&view.group.kind);
        if before.is_none() {
            self.has_room_for_groups(&member).await?;
            self.has_room_for_members(id).await?;
        }
        if before.is_none() && role != Role::Banned {
            self.begin_reading(id, &member).await?;
        }
        let row = Some(role).filter(|role| !official || *role != Role::Member);
        self.write_role(id, (&member, row)).await?;
        Ok(Membership { user_id: member, role })
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
        let Insider { view, role: own } = self.insider(by, id).await?;
        let official = is_official(&view.group.kind);
        if by == member {
            return self.leave(id, (member, own), official).await;
        }
        if !own.manages_group() {
            return Err(not_over(member));
        }
        let before = self.role_in(id, member).await?.ok_or_else(|| no_member(id, member))?;
        if !own.may_change(Some(before), None) {
            return Err(not_over(member));
        }
        if official && before == Role::Member {
            let message = "everyone is in the official group; ban a user to keep them out";
            return Err(Problem::new(ErrorCode::Forbidden, message));
        }
        self.write_role(id, (member, None)).await
    }

    async fn leave(
        self: &Arc<Self>,
        id: GroupId,
        (member, own): (&UserId, Role),
        official: bool,
    ) -> Result<(), Problem> {
        let message = match own {
            _ if official => "everyone is in the official group",
            Role::Owner => "you own this group; delete it instead",
            Role::Admin | Role::Member | Role::Muted | Role::Banned => {
                return self.write_role(id, (member, None)).await;
            }
        };
        Err(Problem::new(ErrorCode::Forbidden, message))
    }

    async fn write_role(
        self: &Arc<Self>,
        id: GroupId,
        (member, row): (&UserId, Option<Role>),
    ) -> Result<(), Problem> {
        let since_ms = self.ids.now_ms().map_err(|error| {
            let after = std::time::Duration::from_secs(2);
            Problem::retry(ErrorCode::Unavailable, error.to_string(), after)
        })?;
        let written = self.store.set_role(id, (member, row), since_ms).await;
        written.map_err(|error| problem_of(&error))?;
        self.changed(id, Concerned::User(member.clone())).await.map(drop)
    }

    /// The role that a user has in a group now.
    async fn role_in(&self, id: GroupId, user: &UserId) -> Result<Option<Role>, Problem> {
        let known = self.exact(id, std::slice::from_ref(user)).await?;
        Ok(known.view.group.role(user, known.rows.first().copied().flatten()))
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

fn not_over(member: &UserId) -> Problem {
    let message =
        format!("you cannot change what `{member}` is in this group: only who stands above them can");
    Problem::new(ErrorCode::Forbidden, message)
}

fn no_member(id: GroupId, member: &UserId) -> Problem {
    Problem::new(ErrorCode::UnknownUser, format!("`{member}` is not in group {id}"))
}

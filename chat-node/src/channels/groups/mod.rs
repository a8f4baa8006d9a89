//! Groups: making, changing and leaving them. Whoever has no part in a group learns nothing of it, not even that it is
//! there. Every change ends with [`Channels::changed`], and may be repeated if it broke off before.

mod channels;
mod fence;
mod members;
mod official;

use std::sync::Arc;

pub use self::channels::{ChannelPatch, ChannelPlan};
use self::fence::{decided, unless_overtaken};
pub use self::members::Membership;
use super::history::PageSize;
use super::view::{Known, View};
use super::{Channels, problem_of};
use crate::bus::{Audience, Envelope, Notice};
use crate::error::{ErrorCode, Problem};
use crate::groups::{Concerned, GROUPS_OF_USER_MAX, Group, GroupKind, GroupSettings, Role};
use crate::ids::{AccessVersion, GroupId, UserId};
use crate::protocol::compose;
use crate::protocol::group::GroupView;
use crate::protocol::message::{ChannelSettings, User};
use crate::store::{NewChannel, StoreError};

/// What a new group's first channel is called.
const FIRST_CHANNEL: &str = "general";

/// What is changed of a group; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
pub struct GroupPatch {
    /// Shown name.
    pub name: Option<String>,
    /// What it is for.
    pub topic: Option<String>,
}

/// A user in a group, as the store had them when they asked.
pub(super) struct Insider {
    pub group: Group,
    /// Not older than the group.
    pub view: Arc<View>,
    pub role: Role,
}

impl Channels {
    /// Makes a private group with one channel; `owner` owns it.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidName`], [`ErrorCode::InvalidContent`], [`ErrorCode::TooMany`] beyond
    /// [`GROUPS_OF_USER_MAX`], [`ErrorCode::Unavailable`].
    pub async fn create_group(
        self: &Arc<Self>,
        owner: &User,
        settings: GroupSettings,
    ) -> Result<GroupView, Problem> {
        compose::group_settings(&settings)?;
        self.has_room_for_groups(&owner.id).await?;
        let id = GroupId(self.new_id().await?.0);
        let first = NewChannel {
            id: self.new_id().await?,
            group: id,
            settings: ChannelSettings { name: FIRST_CHANNEL.to_owned(), ..ChannelSettings::default() },
            overrides: Vec::new(),
        };
        let kind = GroupKind::Private { owner: owner.id.clone() };
        let making = async {
            let group = self.store.create_group(id, &kind, &settings).await?;
            self.store.create_channel(&first).await.map(|_| group)
        };
        let group: Group = making.await.map_err(|error| problem_of(&error))?;
        self.changed(id, Concerned::User(owner.id.clone())).await?;
        Ok(GroupView::of(&group, Role::Owner))
    }

    /// A group that `user` is in.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Unavailable`].
    pub async fn group(&self, user: &UserId, id: GroupId) -> Result<GroupView, Problem> {
        let Insider { view, role, .. } = self.insider(user, id).await?;
        Ok(GroupView::of(&view.group, role))
    }

    /// The groups of `user` with ids after one, in order of id, and the id before the next page; the official one comes
    /// first.
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`].
    pub async fn groups_of(
        &self,
        user: &UserId,
        (after, size): (Option<GroupId>, PageSize),
    ) -> Result<(Vec<GroupView>, Option<GroupId>), Problem> {
        let rows = self.store.groups_of(user).await.map_err(|error| problem_of(&error))?;
        let mut ids: Vec<_> = rows.into_iter().map(|(id, _)| id).chain([GroupId::OFFICIAL]).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| Some(*id) > after);
        let has_more = ids.len() > size.get().into();
        ids.truncate(size.get().into());
        let next = ids.last().copied().filter(|_| has_more);
        let mut groups = Vec::new();
        for id in ids {
            match self.group(user, id).await {
                Ok(group) => groups.push(group),
                // Banned, or gone meanwhile.
                Err(problem) if problem.code == ErrorCode::UnknownGroup => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok((groups, next))
    }

    /// Changes what a group shows of itself; owner and admins do.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Forbidden`], [`ErrorCode::InvalidName`],
    /// [`ErrorCode::InvalidContent`], [`ErrorCode::Unavailable`].
    pub async fn set_group_settings(
        self: &Arc<Self>,
        by: &UserId,
        id: GroupId,
        patch: GroupPatch,
    ) -> Result<GroupView, Problem> {
        let (group, role) = decided(|| self.try_group_settings(by, id, &patch)).await?;
        self.changed(id, Concerned::Everyone).await?;
        Ok(GroupView::of(&group, role))
    }

    async fn try_group_settings(
        &self,
        by: &UserId,
        id: GroupId,
        patch: &GroupPatch,
    ) -> Result<Option<(Group, Role)>, Problem> {
        let Insider { mut group, role, .. } = self.manager(by, id).await?;
        let GroupSettings { name, topic } = group.settings;
        let (name, topic) = (patch.name.clone().unwrap_or(name), patch.topic.clone().unwrap_or(topic));
        group.settings = GroupSettings { name, topic };
        compose::group_settings(&group.settings)?;
        let written = self.store.set_group_settings(id, &group.settings, group.revision).await;
        unless_overtaken(written, (group, role))
    }

    /// Deletes a group with its channels; its owner does.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Forbidden`], [`ErrorCode::Unavailable`].
    pub async fn delete_group(self: &Arc<Self>, by: &UserId, id: GroupId) -> Result<(), Problem> {
        let Insider { view, role, .. } = self.insider(by, id).await?;
        if role != Role::Owner {
            return Err(Problem::new(ErrorCode::Forbidden, "only its owner deletes a group"));
        }
        self.store.delete_group(id).await.map_err(|error| problem_of(&error))?;
        self.tell_changed(id, AccessVersion(view.version().0 + 1), Vec::new());
        Ok(())
    }

    /// Says that a change of a group is written: the last of its steps.
    async fn changed(self: &Arc<Self>, id: GroupId, concerned: Concerned) -> Result<AccessVersion, Problem> {
        let version = self.store.bump(id, &concerned).await.map_err(|error| problem_of(&error))?;
        let version = version.ok_or_else(|| unknown_group(id))?;
        let users = match concerned {
            Concerned::User(user) => vec![user],
            Concerned::Everyone => Vec::new(),
        };
        self.tell_changed(id, version, users);
        Ok(version)
    }

    fn tell_changed(self: &Arc<Self>, id: GroupId, version: AccessVersion, users: Vec<UserId>) {
        self.hear_of_change(id, version);
        self.introduce_gained_soon(id, version, users.clone());
        let notice = Notice::GroupChanged { group_id: id, version, users };
        self.bus.publish(&Envelope::new(notice), Audience::Everyone);
    }

    /// A group and the role of one of its users in it, as they are in the store now.
    async fn insider(&self, user: &UserId, id: GroupId) -> Result<Insider, Problem> {
        let (group, known) = self.exact(id, std::slice::from_ref(user)).await?;
        let row = known.rows.first().copied().flatten();
        match known.view.group.role(user, row) {
            Some(Role::Banned) | None => Err(unknown_group(id)),
            Some(role) => Ok(Insider { group, view: known.view, role }),
        }
    }

    /// The same for who manages it.
    async fn manager(&self, user: &UserId, id: GroupId) -> Result<Insider, Problem> {
        let insider = self.insider(user, id).await?;
        if insider.role.manages_group() {
            return Ok(insider);
        }
        let message = format!("only its owner and admins change group {id}");
        Err(Problem::new(ErrorCode::Forbidden, message))
    }

    /// A group, and a view and rows of it that are not older than this call.
    async fn exact(&self, id: GroupId, users: &[UserId]) -> Result<(Group, Known), Problem> {
        let reading = async {
            let Some(group) = self.store.group(id).await? else { return Ok(None) };
            let known = self.views.group(id, group.version, users).await?;
            Ok(known.map(|known| (group, known)))
        };
        reading.await.map_err(|error: StoreError| problem_of(&error))?.ok_or_else(|| unknown_group(id))
    }

    async fn has_room_for_groups(&self, user: &UserId) -> Result<(), Problem> {
        let groups = self.store.groups_of(user).await.map_err(|error| problem_of(&error))?;
        let private = groups.iter().filter(|(id, _)| *id != GroupId::OFFICIAL).count();
        if private < GROUPS_OF_USER_MAX {
            return Ok(());
        }
        let message = format!("`{user}` is in {GROUPS_OF_USER_MAX} groups, and cannot be in more");
        Err(Problem::new(ErrorCode::TooMany, message))
    }
}

fn unknown_group(id: GroupId) -> Problem {
    Problem::new(ErrorCode::UnknownGroup, format!("there is no group {id} for you"))
}

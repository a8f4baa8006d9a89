//! The channels of a group.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::permit::Right;
use super::super::{Channels, problem_of, shown};
use super::Insider;
use super::fence::{decided, unless_overtaken};
use crate::error::{ErrorCode, Problem};
use crate::groups::{CHANNELS_OF_GROUP_MAX, Concerned, GroupKind, Override, Permissions};
use crate::ids::{ChannelId, GroupId, UserId};
use crate::protocol::compose;
use crate::protocol::frame::ChannelView;
use crate::protocol::message::{Change, ChannelSettings, User};
use crate::store::{Channel, ChannelKind, NewChannel};

/// A channel that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub struct ChannelPlan {
    /// What it shows of itself.
    #[serde(flatten)]
    pub settings: ChannelSettings,
    /// What members may do there beyond or below their roles.
    #[serde(default)]
    pub overrides: Vec<Override>,
}

/// What is changed of a channel's settings; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub struct ChannelPatch {
    /// Shown name.
    pub name: Option<String>,
    /// What it is for.
    pub topic: Option<String>,
    /// Seconds between two messages of one member.
    pub slow_mode_s: Option<u16>,
}

impl Channels {
    /// The channels of a group that `user` may read, without what the user has read of them.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Unavailable`].
    pub async fn channels_of(&self, user: &UserId, id: GroupId) -> Result<Vec<ChannelView>, Problem> {
        let Insider { view, role, .. } = self.insider(user, id).await?;
        let rows = self.views.channels_of(&[id]).await.map_err(|error| problem_of(&error))?;
        let shown = rows.iter().filter(|row| view.channels.contains_key(&row.id)).filter_map(|row| {
            let permissions = Permissions::of(user, Some(role), &row.overrides);
            permissions.read.then(|| shown::channel(row, (user, permissions), row.head))
        });
        Ok(shown.collect())
    }

    /// A channel that `user` may read, with how far the user has read it.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Unavailable`].
    pub async fn channel(&self, user: &UserId, id: ChannelId) -> Result<ChannelView, Problem> {
        let (standing, row) = self.permit_reading(user, id).await?;
        let view = shown::channel(&row, (user, standing.permissions), row.head);
        let reading = async {
            let read = self.store.reads(user, &[id]).await?;
            self.with_reads(view, user, read.first().map(|(_, position)| *position)).await
        };
        reading.await.map_err(|error| problem_of(&error))
    }

    /// Makes a channel; the group's owner and admins do.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGroup`], [`ErrorCode::Forbidden`], [`ErrorCode::InvalidName`],
    /// [`ErrorCode::InvalidContent`], [`ErrorCode::TooMany`] beyond [`CHANNELS_OF_GROUP_MAX`] or for too many
    /// overrides, [`ErrorCode::Unavailable`].
    pub async fn create_channel(
        self: &Arc<Self>,
        by: &UserId,
        group: GroupId,
        plan: ChannelPlan,
    ) -> Result<ChannelView, Problem> {
        let Insider { view, role, .. } = self.manager(by, group).await?;
        compose::channel_settings(&plan.settings)?;
        compose::overrides(&plan.overrides)?;
        if view.channels.len() >= CHANNELS_OF_GROUP_MAX {
            let message = format!("a group has at most {CHANNELS_OF_GROUP_MAX} channels");
            return Err(Problem::new(ErrorCode::TooMany, message));
        }
        let ChannelPlan { settings, overrides } = plan;
        let permissions = Permissions::of(by, Some(role), &overrides);
        let new = NewChannel { id: self.new_id().await?, group, settings, overrides };
        let made = self.store.create_channel(&new).await.map_err(|error| problem_of(&error))?;
        self.changed(group, Concerned::Everyone).await?;
        Ok(shown::channel(&made, (by, permissions), made.head))
    }

    /// Changes what a channel shows of itself and its slow mode; who may manage the channel does. The change is an
    /// entry of the channel's log.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Forbidden`], [`ErrorCode::InvalidName`],
    /// [`ErrorCode::InvalidContent`], [`ErrorCode::RateLimited`], [`ErrorCode::Unavailable`].
    pub async fn set_channel_settings(
        self: &Arc<Self>,
        by: &User,
        id: ChannelId,
        patch: ChannelPatch,
    ) -> Result<ChannelView, Problem> {
        let (_, row) = self.permit_reading(&by.id, id).await?;
        let standing = self.permit_under(&by.id, (id, row.access), Right::Manage).await?;
        let old = row.settings.clone();
        let settings = ChannelSettings {
            name: patch.name.unwrap_or(old.name),
            topic: patch.topic.unwrap_or(old.topic),
            slow_mode_s: patch.slow_mode_s.unwrap_or(old.slow_mode_s),
        };
        compose::channel_settings(&settings)?;
        let mut changed = Channel { settings, ..row.clone() };
        if changed.settings != row.settings {
            let change = Change::Settings(changed.settings.clone());
            changed.head = self.change((by, id), (change, Right::Manage), &standing).await?.position;
        }
        if let ChannelKind::Group(group) = changed.kind {
            // Also if nothing changes: the last time may have broken off before this.
            self.changed(group, Concerned::Everyone).await?;
        }
        Ok(shown::channel(&changed, (&by.id, standing.permissions), changed.head))
    }

    /// What members may do in a channel beyond or below their roles; owner and admins of its group see it.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Forbidden`], [`ErrorCode::Unavailable`].
    pub async fn overrides(&self, by: &UserId, id: ChannelId) -> Result<Vec<Override>, Problem> {
        let (_, row) = self.managed(by, id).await?;
        Ok(row.overrides)
    }

    /// Replaces them.
    ///
    /// # Errors
    /// As [`Channels::overrides`], and [`ErrorCode::TooMany`], [`ErrorCode::InvalidContent`].
    pub async fn set_overrides(
        self: &Arc<Self>,
        by: &UserId,
        id: ChannelId,
        overrides: Vec<Override>,
    ) -> Result<Vec<Override>, Problem> {
        compose::overrides(&overrides)?;
        let overriding = || async {
            let (group, row) = self.managed(by, id).await?;
            unless_overtaken(self.store.set_overrides(id, &overrides, row.revision).await, group)
        };
        let group = decided(overriding).await?;
        self.changed(group, Concerned::Everyone).await?;
        Ok(overrides)
    }

    /// Deletes a channel; owner and admins of its group do. The official channel stays.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Forbidden`], [`ErrorCode::Unavailable`].
    pub async fn delete_channel(self: &Arc<Self>, by: &UserId, id: ChannelId) -> Result<(), Problem> {
        let (group, _) = self.managed(by, id).await?;
        if id == ChannelId::OFFICIAL {
            return Err(Problem::new(ErrorCode::Forbidden, "the official channel cannot be deleted"));
        }
        self.store.delete_channel(id).await.map_err(|error| problem_of(&error))?;
        self.changed(group, Concerned::Everyone).await.map(drop)
    }

    /// A channel whose group `by` manages. Whoever manages the group does so even where they have closed a channel to
    /// themselves.
    async fn managed(&self, by: &UserId, id: ChannelId) -> Result<(GroupId, Channel), Problem> {
        let row = self.store.channel(id).await.map_err(|error| problem_of(&error))?;
        let unknown = || super::super::permit::unknown_channel(id);
        let row = row.ok_or_else(unknown)?;
        let ChannelKind::Group(group) = row.kind else {
            // Its users can see it, but nobody rules it.
            self.permit(by, id, Right::Manage).await?;
            return Err(unknown());
        };
        let insider = self.insider(by, group).await.map_err(|problem| match problem.code {
            ErrorCode::UnknownGroup => unknown(),
            _ => problem,
        })?;
        if insider.role.manages_group() {
            return Ok((group, row));
        }
        self.permit(by, id, Right::Read).await?;
        let message = format!("only the owner and admins of its group rule channel {id}");
        Err(Problem::new(ErrorCode::Forbidden, message))
    }
}

/// Whether everyone is in a group without a row.
pub(super) fn is_official(kind: &GroupKind) -> bool {
    matches!(kind, GroupKind::Official)
}

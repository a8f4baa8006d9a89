//! Who may do what in a channel, by what this node knows of its group.

use super::{Channels, problem_of};
use crate::error::{ErrorCode, Problem};
use crate::groups::{Permissions, Role};
use crate::ids::{AccessVersion, ChannelId, UserId};
use crate::protocol::message::ChannelSettings;
use crate::store::{Channel, ChannelKind, StoreError};

/// What somebody must be allowed to do in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See what happens.
    Read,
    /// Write and react.
    Send,
    /// Change settings, pin, delete what others wrote.
    Manage,
    /// Write to everyone at once: both of the last two.
    Announce,
}

/// What a user is to a channel that they may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose channel it is.
    pub kind: ChannelKind,
    /// The user's role in the channel's group; `None` in direct channels.
    pub role: Option<Role>,
    /// What the user may do.
    pub permissions: Permissions,
    /// The access version that this was found under.
    pub checked: AccessVersion,
    /// What the channel shows of itself; nothing in direct channels.
    pub settings: ChannelSettings,
}

impl Right {
    /// Whether these permissions hold it.
    pub fn is_in(self, permissions: Permissions) -> bool {
        match self {
            Self::Read => permissions.read,
            Self::Send => permissions.send,
            Self::Manage => permissions.manage,
            Self::Announce => permissions.send && permissions.manage,
        }
    }

    fn refusal(self, channel: ChannelId) -> Problem {
        let what = match self {
            Self::Read => return unknown_channel(channel),
            Self::Send => "write or react",
            Self::Manage => "change settings, pin or delete what others wrote",
            Self::Announce => "mention everyone",
        };
        let message = format!("you may not {what} in channel {channel}; ask an admin of its group");
        Problem::new(ErrorCode::Forbidden, message)
    }
}

impl Channels {
    /// What `user` is to a channel, if the user has this right there.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], also where the user may not read it; [`ErrorCode::Forbidden`];
    /// [`ErrorCode::Unavailable`].
    pub async fn permit(&self, user: &UserId, channel: ChannelId, right: Right) -> Result<Standing, Problem> {
        self.permit_under(user, (channel, AccessVersion(0)), right).await
    }

    /// The same by a view that is not older than an access version.
    pub(super) async fn permit_under(
        &self,
        user: &UserId,
        (channel, at_least): (ChannelId, AccessVersion),
        right: Right,
    ) -> Result<Standing, Problem> {
        let standing = self.standing(user, channel, at_least).await.map_err(|error| problem_of(&error))?;
        let standing = standing.ok_or_else(|| unknown_channel(channel))?;
        if right.is_in(standing.permissions) { Ok(standing) } else { Err(right.refusal(channel)) }
    }

    /// The channel as it is in the store, if `user` may read it; exact: whoever was put out before this was called is
    /// refused, whatever this node has heard of.
    pub(super) async fn permit_reading(
        &self,
        user: &UserId,
        channel: ChannelId,
    ) -> Result<(Standing, Channel), Problem> {
        let row = self.store.channel(channel).await.map_err(|error| problem_of(&error))?;
        let row = row.ok_or_else(|| unknown_channel(channel))?;
        self.views.note_kind(channel, &row.kind);
        let standing = self.permit_under(user, (channel, row.access), Right::Read).await?;
        Ok((standing, row))
    }

    /// What `user` is to a channel; `None`: nothing, or there is no such channel.
    pub(super) async fn standing(
        &self,
        user: &UserId,
        channel: ChannelId,
        at_least: AccessVersion,
    ) -> Result<Option<Standing>, StoreError> {
        let Some(kind) = self.views.kind(channel).await? else { return Ok(None) };
        let group = match &kind {
            ChannelKind::Direct(users) if users.contains(user) => {
                let (permissions, settings) = (Permissions::TALK, ChannelSettings::default());
                return Ok(Some(Standing { kind, role: None, permissions, checked: at_least, settings }));
            }
            ChannelKind::Direct(_) => return Ok(None),
            ChannelKind::Group(group) => *group,
        };
        let Some(known) = self.views.group(group, at_least, std::slice::from_ref(user)).await? else {
            return Ok(None);
        };
        let row = known.rows.first().copied().flatten();
        let permissions = known.view.permissions(channel, user, row);
        let Some(rules) = known.view.channels.get(&channel).filter(|_| permissions.read) else {
            return Ok(None);
        };
        let (role, settings) = (known.view.group.role(user, row), rules.settings.clone());
        Ok(Some(Standing { kind, role, permissions, checked: known.view.version(), settings }))
    }
}

/// Whoever has no part in a channel learns nothing of it, not even that it is there.
pub(super) fn unknown_channel(channel: ChannelId) -> Problem {
    Problem::new(ErrorCode::UnknownChannel, format!("there is no channel {channel} for you"))
}

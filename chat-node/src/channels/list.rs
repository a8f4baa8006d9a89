//! The channels of a user: those of the official group and of the user's groups that they may read, and the direct
//! ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::{Channels, problem_of, shown};
#[cfg(doc)]
use crate::error::ErrorCode;
use crate::error::Problem;
use crate::groups::{Permissions, Role};
use crate::hub::connections::FOLLOWED_MAX;
use crate::ids::{ChannelId, GroupId, Position, UserId};
use crate::protocol::frame::ChannelView;
use crate::store::{Channel, ChannelKind, StoreError};

/// Channels that one sign-in looks at together.
const AT_ONCE: usize = 8;

impl Channels {
    /// The channels of `user`, with rooms for them on this node that are as far as the user's cursors. Costs the same
    /// however many others there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_user(
        self: &Arc<Self>,
        user: &UserId,
        cursors: &BTreeMap<ChannelId, Position>,
    ) -> Result<Vec<ChannelView>, StoreError> {
        let channels = self.readable_channels(user).await?;
        let ids: Vec<_> = channels.iter().map(|(channel, _)| channel.id).collect();
        let reads: HashMap<_, _> = self.store.reads(user, &ids).await?.into_iter().collect();
        stream::iter(channels)
            .map(|(channel, permissions)| {
                let (read, cursor) = (reads.get(&channel.id).copied(), cursors.get(&channel.id).copied());
                async move {
                    let head = self.head_for((&channel, read), cursor).await?;
                    let view = shown::channel(&channel, (user, permissions), head);
                    self.with_reads(view, user, read).await
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// The channels of `user` as they are in the store, without rooms for them and without what the user has read.
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`].
    pub async fn own_channels(&self, user: &UserId) -> Result<Vec<ChannelView>, Problem> {
        let channels = self.readable_channels(user).await.map_err(|error| problem_of(&error))?;
        let view = |(channel, permissions): &(Channel, _)| {
            shown::channel(channel, (user, *permissions), channel.head)
        };
        Ok(channels.iter().map(view).collect())
    }

    /// Some channels of `user`, with how far the user has read them and how many messages come after.
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`].
    pub async fn with_unread(
        &self,
        user: &UserId,
        views: Vec<ChannelView>,
    ) -> Result<Vec<ChannelView>, Problem> {
        let ids: Vec<_> = views.iter().map(|view| view.id).collect();
        let reading = async {
            let reads: HashMap<_, _> = self.store.reads(user, &ids).await?.into_iter().collect();
            let counted = stream::iter(views).map(|view| {
                let read = reads.get(&view.id).copied();
                self.with_reads(view, user, read)
            });
            counted.buffered(AT_ONCE).try_collect().await
        };
        reading.await.map_err(|error: StoreError| problem_of(&error))
    }

    /// The channels that `user` may read, with what else they may do there, at most [`FOLLOWED_MAX`]: first those of the
    /// official group, then direct ones, newest first, then those of other groups.
    async fn readable_channels(&self, user: &UserId) -> Result<Vec<(Channel, Permissions)>, StoreError> {
        let before = self.views.before();
        let (rows, direct) =
            futures::try_join!(self.store.groups_of(user), self.store.direct_channels(user))?;
        let mut roles: BTreeMap<GroupId, Option<Role>> = BTreeMap::from([(GroupId::OFFICIAL, None)]);
        roles.extend(rows.into_iter().map(|(group, role)| (group, Some(role))));
        for (group, row) in &roles {
            self.views.learn(*group, (user, *row), before);
        }
        let groups: Vec<_> = roles.keys().copied().collect();
        let mut of_groups = Vec::new();
        for channel in self.views.channels_of(&groups).await? {
            let ChannelKind::Group(group) = channel.kind else { continue };
            let row = roles.get(&group).copied().flatten();
            // In the official group everyone is a member without a row.
            let role = row.or((group == GroupId::OFFICIAL).then_some(Role::Member));
            let permissions = Permissions::of(user, role, &channel.overrides);
            if permissions.read {
                of_groups.push((group, channel, permissions));
            }
        }
        let (official, private): (Vec<_>, Vec<_>) =
            of_groups.into_iter().partition(|(group, ..)| *group == GroupId::OFFICIAL);
        let direct = direct.into_iter().map(|channel| (channel, Permissions::TALK));
        let without_group = |(_, channel, permissions)| (channel, permissions);
        let all = official.into_iter().map(without_group).chain(direct);
        Ok(all.chain(private.into_iter().map(without_group)).take(FOLLOWED_MAX).collect())
    }

    /// The last position that the channel's room has had, which is not before the cursor unless the cursor is none of
    /// this channel.
    async fn head_for(
        self: &Arc<Self>,
        (channel, read): (&Channel, Option<Position>),
        cursor: Option<Position>,
    ) -> Result<Position, StoreError> {
        let room = self.open(channel, read.unwrap_or_else(|| unread_from(channel))).await?;
        let head = room.last();
        if cursor.is_some_and(|cursor| cursor > head) {
            // Another node was faster, or the cursor is none of this channel.
            return self.catch_up(&room).await;
        }
        Ok(head)
    }

    /// Adds how far the user has read. In the official group reading begins when a user comes for the first time.
    pub(super) async fn with_reads(
        &self,
        view: ChannelView,
        user: &UserId,
        read: Option<Position>,
    ) -> Result<ChannelView, StoreError> {
        let read = match read {
            Some(read) => read,
            None if view.group_id == Some(GroupId::OFFICIAL) => {
                self.store.set_read(user, view.id, view.head).await?
            }
            None => Position(0),
        };
        let last_message = view.last_message.unwrap_or(Position(0));
        let unread = self.unread(view.id, (read, last_message)).await?;
        Ok(ChannelView { read: Some(read), unread: Some(unread), ..view })
    }
}

/// From where on messages are unread to somebody of whom nothing is known.
fn unread_from(channel: &Channel) -> Position {
    match channel.kind {
        ChannelKind::Group(GroupId::OFFICIAL) => channel.head,
        ChannelKind::Group(_) | ChannelKind::Direct(_) => Position(0),
    }
}

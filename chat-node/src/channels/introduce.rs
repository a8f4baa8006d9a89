//! Telling connections of channels that their users have got.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Channels, shown};
use crate::ids::{AccessVersion, ChannelId, GroupId, Position, UserId};
use crate::protocol::frame::ChannelKindView;
use crate::protocol::message::Entry;
use crate::store::{Channel, ChannelKind, StoreError};

/// How often it is tried to find out how far a channel is.
const ATTEMPTS: u32 = 4;
/// After the first try; each further pause is longer by as much.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);
/// Members per read, where a change concerns all of a group.
const MEMBERS_PER_READ: u16 = 500;

impl Channels {
    /// Looks, in the background, for channels of a group that these users (none named: perhaps everyone) may read now
    /// and that some of their connections here do not know.
    pub(super) fn introduce_gained_soon(
        self: &Arc<Self>,
        group: GroupId,
        version: AccessVersion,
        users: Vec<UserId>,
    ) {
        let channels = Arc::clone(self);
        tokio::spawn(async move {
            let introducing = async {
                let here = channels.here(group, users).await?;
                channels.introduce_gained((group, version), &here).await
            };
            if let Err(error) = introducing.await {
                // They find the channel when they sign in again.
                tracing::debug!(%group, %error, "the look for new channels broke off");
            }
        });
    }

    /// Introduces, in the background, a direct channel in which something was said to those connections of its users here
    /// that do not know it: they follow it from just before the entry, or from before what is still being stored there.
    pub(super) fn introduce_spoken_in(self: &Arc<Self>, entry: &Entry, users: [UserId; 2]) {
        let (id, before) = (entry.channel(), Position(entry.position().0.saturating_sub(1)));
        let lacks = |user| self.hub.connections.lacks(user, (id, ChannelKindView::Direct));
        if !users.iter().any(lacks) || !self.introducing().insert(id) {
            return;
        }
        let channels = Arc::clone(self);
        tokio::spawn(async move {
            let reached = channels.reached_soon(id, before).await;
            channels.introduce_direct(id, &users, reached.min(before));
            channels.introducing().remove(&id);
        });
    }

    /// As [`Channels::reached`]; what is wanted, if the store does not tell for a while: better too far than not at all.
    async fn reached_soon(self: &Arc<Self>, id: ChannelId, wanted: Position) -> Position {
        for attempt in 1..=ATTEMPTS {
            let reached = async { self.reached(&self.open_by_id(id).await?, wanted).await };
            match reached.await {
                Ok(reached) => return reached,
                Err(error) => tracing::debug!(channel = %id, %error, "a channel cannot be introduced yet"),
            }
            tokio::time::sleep(BETWEEN_ATTEMPTS * attempt).await;
        }
        wanted
    }

    pub(super) fn introduce_missed_soon(self: &Arc<Self>, users: Vec<UserId>) -> JoinHandle<()> {
        let channels = Arc::clone(self);
        tokio::spawn(async move { channels.introduce_missed(users).await })
    }

    /// Looks for channels that these users have got without this node hearing of it. One user after the other: it is
    /// no hurry, and there may be many.
    async fn introduce_missed(self: &Arc<Self>, users: Vec<UserId>) {
        for user in users {
            if let Err(error) = self.introduce_all(&user).await {
                tracing::debug!(%error, "the look for new channels broke off");
                return;
            }
        }
    }

    /// A connection knows the channels that were there when it signed in, so what it does not know is new to it.
    async fn introduce_all(self: &Arc<Self>, user: &UserId) -> Result<(), StoreError> {
        for channel in self.store.direct_channels(user).await? {
            if let ChannelKind::Direct(users) = &channel.kind {
                self.introduce_direct(channel.id, users, Position(0));
            }
        }
        let before = self.views.before();
        let mut rows = self.store.groups_of(user).await?;
        if rows.iter().all(|(group, _)| *group != GroupId::OFFICIAL) {
            self.views.learn(GroupId::OFFICIAL, (user, None), before);
            self.introduce_gained((GroupId::OFFICIAL, AccessVersion(0)), std::slice::from_ref(user)).await?;
        }
        for (group, role) in rows.drain(..) {
            self.views.learn(group, (user, Some(role)), before);
            self.introduce_gained((group, AccessVersion(0)), std::slice::from_ref(user)).await?;
        }
        Ok(())
    }

    async fn introduce_gained(
        self: &Arc<Self>,
        (group, version): (GroupId, AccessVersion),
        users: &[UserId],
    ) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        let Some(known) = self.views.group(group, version, users).await? else { return Ok(()) };
        let mut wanted = Vec::new();
        for (user, row) in users.iter().zip(&known.rows) {
            let unknown = known.view.readable(user, *row);
            wanted.extend(
                unknown
                    .filter(|channel| self.hub.connections.lacks(user, (*channel, ChannelKindView::Group)))
                    .map(|channel| (channel, user)),
            );
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let rows = self.store.channels_of(&[group]).await?;
        for row in &rows {
            let users = wanted.iter().filter(|(channel, _)| *channel == row.id).map(|(_, user)| *user);
            self.introduce_group_channel(row, users.collect()).await?;
        }
        Ok(())
    }

    async fn introduce_group_channel(
        self: &Arc<Self>,
        channel: &Channel,
        users: Vec<&UserId>,
    ) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        let after = self.reached(&self.open(channel, channel.head).await?, channel.head).await?;
        for user in users {
            let Some(standing) = self.standing(user, channel.id, channel.access).await? else { continue };
            let view = shown::channel(channel, (user, standing.permissions), after);
            self.hub.connections.introduce(user, &view);
        }
        Ok(())
    }

    /// Those of `users` who are here. If nobody is named: whoever is in the group.
    async fn here(&self, group: GroupId, users: Vec<UserId>) -> Result<Vec<UserId>, StoreError> {
        let is_here = |user: &UserId| self.hub.connections.has(user);
        if !users.is_empty() {
            return Ok(users.into_iter().filter(is_here).collect());
        }
        if group == GroupId::OFFICIAL {
            return Ok(self.hub.connections.users());
        }
        let (mut here, mut last) = (Vec::new(), None);
        loop {
            let page = self.store.members(group, last.as_ref(), MEMBERS_PER_READ).await?;
            let is_full = page.len() == usize::from(MEMBERS_PER_READ);
            last = page.last().map(|member| member.user_id.clone());
            here.extend(page.into_iter().map(|member| member.user_id).filter(is_here));
            if !is_full {
                return Ok(here);
            }
        }
    }
}

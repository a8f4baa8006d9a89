//! Who may know of whom whether they are here: users who share a direct channel or a private group.

use super::{Channels, problem_of};
use crate::error::Problem;
use crate::groups::Role;
use crate::ids::{GroupId, UserId};
use crate::session::Watched;
use crate::store::{ChannelKind, StoreError};

impl Channels {
    /// Those of `others` whom `user` may watch. Oneself too.
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`](crate::error::ErrorCode::Unavailable).
    pub async fn acquaintances(&self, user: &UserId, others: Watched) -> Result<Watched, Problem> {
        if others.is_empty() {
            return Ok(others);
        }
        self.known_to(user, others).await.map_err(|error| problem_of(&error))
    }

    async fn known_to(&self, user: &UserId, others: Watched) -> Result<Watched, StoreError> {
        let channels = self.store.direct_channels(user).await?;
        let partners = channels.into_iter().filter_map(|channel| match channel.kind {
            ChannelKind::Direct(users) => Some(users),
            ChannelKind::Group(_) => None,
        });
        let partners: Watched = partners.flatten().chain([user.clone()]).collect();
        let (mut known, mut unknown): (Watched, Watched) =
            others.into_iter().partition(|other| partners.contains(other));
        if unknown.is_empty() {
            return Ok(known);
        }
        for (group, role) in self.store.groups_of(user).await? {
            if role != Role::Banned && group != GroupId::OFFICIAL && !unknown.is_empty() {
                let met = self.members_among(group, &unknown).await?;
                unknown.retain(|other| !met.contains(other));
                known.extend(met);
            }
        }
        Ok(known)
    }

    async fn members_among(&self, group: GroupId, users: &Watched) -> Result<Watched, StoreError> {
        let asked: Vec<_> = users.iter().cloned().collect();
        let rows = self.store.roles(group, &asked).await?;
        Ok(rows.into_iter().filter(|(_, role)| *role != Role::Banned).map(|(user, _)| user).collect())
    }
}

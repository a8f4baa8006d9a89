//! The official group, as the node's settings have it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Channels;
use super::fence::attempts;
use crate::groups::{Concerned, Group, GroupSettings, Role};
use crate::ids::{GroupId, UserId};
use crate::store::{RoleWrite, StoreError, Written};

/// Users per read of roles.
const ROLES_PER_READ: usize = 500;

impl Channels {
    /// Makes the official group show these settings, and these users its admins. Whom an earlier start made one and who
    /// is not among them any more is a member like others again; whoever was made one by hand in the store stays one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prepare_official(
        self: &Arc<Self>,
        settings: &GroupSettings,
        admins: &[UserId],
    ) -> Result<(), StoreError> {
        let shown = attempts(|| self.try_official_settings(settings)).await?;
        shown.ok_or_else(overtaken)?;
        let before: BTreeSet<_> = self.official().await?.appointed.into_iter().collect();
        let by_hand: BTreeSet<_> = self.official_admins(admins).await?.difference(&before).cloned().collect();
        let appointed: BTreeSet<_> =
            admins.iter().filter(|admin| !by_hand.contains(*admin)).cloned().collect();
        // Noted before it is done: an admin who is not noted was made one by hand.
        self.note_appointed(before.union(&appointed).cloned().collect()).await?;
        for admin in &appointed {
            self.make_official(admin, Some(Role::Admin)).await?;
        }
        for former in before.difference(&appointed) {
            self.make_official(former, None).await?;
        }
        self.note_appointed(appointed.into_iter().collect()).await
    }

    async fn official(&self) -> Result<Group, StoreError> {
        let group = self.store.group(GroupId::OFFICIAL).await?;
        group.ok_or_else(|| StoreError::Refused("the official group is not there".to_owned()))
    }

    async fn try_official_settings(&self, settings: &GroupSettings) -> Result<Option<()>, StoreError> {
        let group = self.official().await?;
        if group.settings == *settings {
            return Ok(Some(()));
        }
        let written = self.store.set_group_settings(group.id, settings, group.revision).await?;
        self.bump_if(written, &Concerned::Everyone).await
    }

    /// Those of `users` who are its admins.
    async fn official_admins(&self, users: &[UserId]) -> Result<BTreeSet<UserId>, StoreError> {
        let mut admins = BTreeSet::new();
        for chunk in users.chunks(ROLES_PER_READ) {
            let roles = self.store.roles(GroupId::OFFICIAL, chunk).await?;
            admins.extend(roles.into_iter().filter(|(_, role)| *role == Role::Admin).map(|(user, _)| user));
        }
        Ok(admins)
    }

    async fn note_appointed(&self, appointed: Vec<UserId>) -> Result<(), StoreError> {
        attempts(|| self.try_note_appointed(&appointed)).await?.ok_or_else(overtaken)
    }

    async fn try_note_appointed(&self, appointed: &[UserId]) -> Result<Option<()>, StoreError> {
        let group = self.official().await?;
        if group.appointed == appointed {
            return Ok(Some(()));
        }
        let written = self.store.set_appointed(group.id, appointed, group.revision).await?;
        Ok((written == Written::Yes).then_some(()))
    }

    /// Makes somebody an admin, or an admin a member like others.
    async fn make_official(&self, user: &UserId, role: Option<Role>) -> Result<(), StoreError> {
        attempts(|| self.try_official_role(user, role)).await?.ok_or_else(overtaken)
    }

    async fn try_official_role(&self, user: &UserId, role: Option<Role>) -> Result<Option<()>, StoreError> {
        let id = GroupId::OFFICIAL;
        let seat = self.store.seat(id, user).await?;
        let is_admin = seat.role == Some(Role::Admin);
        if is_admin == role.is_some() {
            return Ok(Some(()));
        }
        let write =
            RoleWrite { user: user.clone(), role, over: seat.revision, since_ms: self.store.now_ms().await? };
        let written = self.store.set_role(id, &write).await?;
        self.bump_if(written, &Concerned::User(user.clone())).await
    }

    async fn bump_if(&self, written: Written, concerned: &Concerned) -> Result<Option<()>, StoreError> {
        match written {
            Written::Yes => self.store.bump(GroupId::OFFICIAL, concerned).await.map(|_| Some(())),
            Written::Overtaken => Ok(None),
        }
    }
}

fn overtaken() -> StoreError {
    StoreError::Unavailable("others keep changing the official group just now".to_owned())
}

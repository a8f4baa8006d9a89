//! The official group, as the node's settings have it.

use std::sync::Arc;

use super::super::Channels;
use super::fence::attempts;
use crate::groups::{Concerned, GroupSettings, Role};
use crate::ids::{GroupId, UserId};
use crate::store::{RoleWrite, StoreError, Written};

impl Channels {
    /// Makes the official group show these settings, and these users its admins. Who is an admin stays one: another
    /// admin cannot take it back, so it is done here only by hand in the store.
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
        for admin in admins {
            attempts(|| self.try_official_admin(admin)).await?.ok_or_else(overtaken)?;
        }
        Ok(())
    }

    async fn try_official_settings(&self, settings: &GroupSettings) -> Result<Option<()>, StoreError> {
        let id = GroupId::OFFICIAL;
        let Some(group) = self.store.group(id).await? else {
            return Err(StoreError::Refused("the official group is not there".to_owned()));
        };
        if group.settings == *settings {
            return Ok(Some(()));
        }
        let written = self.store.set_group_settings(id, settings, group.revision).await?;
        self.bump_if(written, &Concerned::Everyone).await
    }

    async fn try_official_admin(&self, admin: &UserId) -> Result<Option<()>, StoreError> {
        let id = GroupId::OFFICIAL;
        let seat = self.store.seat(id, admin).await?;
        if seat.role == Some(Role::Admin) {
            return Ok(Some(()));
        }
        let (user, role, since_ms) = (admin.clone(), Some(Role::Admin), self.store.now_ms().await?);
        let write = RoleWrite { user, role, over: seat.revision, since_ms };
        let written = self.store.set_role(id, &write).await?;
        self.bump_if(written, &Concerned::User(admin.clone())).await
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

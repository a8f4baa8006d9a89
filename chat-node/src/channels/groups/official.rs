//! The official group, as the node's settings have it.

use std::sync::Arc;

use super::super::Channels;
use crate::groups::{Concerned, GroupSettings, Role};
use crate::ids::{GroupId, UserId};
use crate::store::StoreError;

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
        let id = GroupId::OFFICIAL;
        let Some(group) = self.store.group(id).await? else {
            return Err(StoreError::Refused("the official group is not there".to_owned()));
        };
        if group.settings != *settings {
            self.store.set_group_settings(id, settings).await?;
            self.store.bump(id, &Concerned::Everyone).await?;
        }
        for chunk in admins.chunks(500) {
            let known = self.store.roles(id, chunk).await?;
            for admin in chunk {
                if !known.contains(&(admin.clone(), Role::Admin)) {
                    let since_ms = self.store.now_ms().await?;
                    self.store.set_role(id, (admin, Some(Role::Admin)), since_ms).await?;
                    self.store.bump(id, &Concerned::User(admin.clone())).await?;
                }
            }
        }
        Ok(())
    }
}

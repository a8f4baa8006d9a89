//! Writes that say who may do what, and come late, wait or are overtaken.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::watch;

use super::{lost, one_of};
use crate::groups::{GroupSettings, Override};
use crate::ids::{ChannelId, GroupId, Revision};
use crate::store::{RoleWrite, Store, StoreError, Written};

/// What happens to them.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    delay: AtomicU32,
    delayed: Mutex<Vec<Grant>>,
    hold: watch::Sender<bool>,
    overtake: AtomicU32,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) enum Grant {
    Role(GroupId, RoleWrite),
    Overrides(ChannelId, Vec<Override>, Revision),
    Settings(GroupId, GroupSettings, Revision),
}

impl Grants {
    /// The next `count` are not answered, and not done either, but on their way.
    pub fn delay(&self, count: u32) {
        self.delay.store(count, Ordering::SeqCst);
    }

    /// From now on they wait before they are done, until this is taken back.
    pub fn hold(&self, hold: bool) {
        self.hold.send_replace(hold);
    }

    /// The next `count` find that another one was faster.
    pub fn overtake(&self, count: u32) {
        self.overtake.store(count, Ordering::SeqCst);
    }

    pub(super) async fn land(&self, store: &dyn Store) {
        let delayed = std::mem::take(&mut *self.delayed.lock().unwrap());
        for grant in delayed {
            grant.write(store).await.unwrap();
        }
    }

    pub(super) async fn write(&self, store: &dyn Store, grant: Grant) -> Result<Written, StoreError> {
        if one_of(&self.delay) {
            self.delayed.lock().unwrap().push(grant);
            return Err(lost());
        }
        let _ = self.hold.subscribe().wait_for(|hold| !hold).await;
        if one_of(&self.overtake) {
            return Ok(Written::Overtaken);
        }
        grant.write(store).await
    }
}

impl Grant {
    async fn write(self, store: &dyn Store) -> Result<Written, StoreError> {
        match self {
            Self::Role(group, write) => store.set_role(group, &write).await,
            Self::Overrides(channel, overrides, over) => store.set_overrides(channel, &overrides, over).await,
            Self::Settings(group, settings, over) => store.set_group_settings(group, &settings, over).await,
        }
    }
}

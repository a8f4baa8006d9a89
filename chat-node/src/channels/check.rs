//! Exact kicks: before an entry passes that was stored under a newer access version than a room's followers were checked
//! against, they are checked again, and those who may not read any more are out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Channels;
use crate::groups::Concerned;
use crate::hub::room::Room;
use crate::ids::{AccessVersion, GroupId, UserId};
use crate::store::{ChannelKind, StoreError};

/// How often a check is tried before the next entry or comparison of heads has to begin anew. Until then nothing passes.
const ATTEMPTS: u32 = 6;
/// Before the second try, times its number.
const BACKOFF: Duration = Duration::from_millis(50);

impl Channels {
    /// Checks a room's followers in the background.
    pub(super) fn check_soon(self: &Arc<Self>, room: &Arc<Room>) {
        let (channels, room) = (Arc::clone(self), Arc::clone(room));
        tokio::spawn(async move { channels.check(&room).await });
    }

    /// Notes that a group has changed: what is known of it is old, and so is what its rooms' followers were allowed.
    pub(super) fn hear_of_change(self: &Arc<Self>, group: GroupId, version: AccessVersion) {
        self.views.heard(group, version);
        for room in self.hub.rooms_of(group) {
            let passed = room.hear(version);
            self.passed(&room, passed);
        }
    }

    async fn check(self: &Arc<Self>, room: &Arc<Room>) {
        let ChannelKind::Group(group) = room.kind else { return room.give_up_checking() };
        let mut in_vain = 0;
        while let Some(needed) = room.unchecked_or_done() {
            match self.check_under(room, (group, needed)).await {
                Ok(()) => in_vain = 0,
                Err(error) => {
                    tracing::debug!(channel = %room.id, %error, "the followers could not be checked");
                    in_vain += 1;
                }
            }
            if in_vain >= ATTEMPTS {
                return room.give_up_checking();
            }
            tokio::time::sleep(BACKOFF * in_vain).await;
        }
    }

    async fn check_under(
        self: &Arc<Self>,
        room: &Arc<Room>,
        (group, needed): (GroupId, AccessVersion),
    ) -> Result<(), StoreError> {
        let known = self.views.group(group, needed, &[]).await?;
        let access = known.as_ref().map_or(needed, |known| known.view.version());
        let (since, users) = room.examine(access);
        let suspects = match known.as_ref().and_then(|known| known.view.group.concerned_since(since)) {
            Some(concerned) => suspects(concerned, users),
            None => users,
        };
        let out = self.without_reading(room, (group, access), suspects).await?;
        let (passed, gone) = room.settle(access, &out);
        self.passed(room, passed);
        for connection in gone {
            self.hub.connections.withdraw_from(connection, room.id);
        }
        Ok(())
    }

    /// Those of `users` who may not read a room's channel.
    async fn without_reading(
        &self,
        room: &Room,
        (group, access): (GroupId, AccessVersion),
        users: BTreeSet<UserId>,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let asked: Vec<_> = users.into_iter().collect();
        if asked.is_empty() {
            return Ok(BTreeSet::new());
        }
        let Some(known) = self.views.group(group, access, &asked).await? else {
            return Ok(asked.into_iter().collect());
        };
        let may_not = |(user, row): &(UserId, _)| !known.view.permissions(room.id, user, *row).read;
        Ok(asked.into_iter().zip(known.rows).filter(may_not).map(|(user, _)| user).collect())
    }
}

/// Those of `users` whom the changes concern.
fn suspects(concerned: &[Concerned], users: BTreeSet<UserId>) -> BTreeSet<UserId> {
    if concerned.contains(&Concerned::Everyone) {
        return users;
    }
    let named = concerned.iter().filter_map(|each| match each {
        Concerned::User(user) => users.get(user).cloned(),
        Concerned::Everyone => None,
    });
    named.collect()
}

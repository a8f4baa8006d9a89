//! Groups.

use async_trait::async_trait;
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::fault::unreadable;
use super::tables::{CHANNELS_OF, GROUPS};
use super::{Embedded, channels, members};
use crate::groups::{CHANGES_REMEMBERED, Concerned, Group, GroupKind, GroupSettings, Member, Override, Role};
use crate::ids::{AccessVersion, ChannelId, GroupId, MessageId, Revision, UserId};
use crate::store::{Channel, GroupStore, NewChannel, RoleWrite, Seat, StoreError, Written};

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    kind: GroupKind,
    settings: GroupSettings,
    #[serde(default)]
    appointed: Vec<UserId>,
    #[serde(default)]
    revision: Revision,
    version: AccessVersion,
    changes: Vec<Concerned>,
}

#[async_trait]
impl GroupStore for Embedded {
    async fn create_group(
        &self,
        id: GroupId,
        kind: &GroupKind,
        settings: &GroupSettings,
    ) -> Result<Group, StoreError> {
        let (kind, settings) = (kind.clone(), settings.clone());
        self.write(move |tx| create(tx, id, &kind, &settings)).await
    }

    async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        self.read(|tx| Ok(row(&tx.open_table(GROUPS)?, id)?.map(|row| row.group(id))))
    }

    async fn set_group_settings(
        &self,
        id: GroupId,
        settings: &GroupSettings,
        over: Revision,
    ) -> Result<Written, StoreError> {
        let settings = settings.clone();
        let set = move |row: Row| Row { settings: settings.clone(), ..row };
        self.write(move |tx| replace(tx, (id, over), &set)).await
    }

    async fn set_appointed(
        &self,
        id: GroupId,
        appointed: &[UserId],
        over: Revision,
    ) -> Result<Written, StoreError> {
        let appointed = appointed.to_vec();
        let set = move |row: Row| Row { appointed: appointed.clone(), ..row };
        self.write(move |tx| replace(tx, (id, over), &set)).await
    }

    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        self.write(move |tx| delete(tx, id)).await
    }

    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError> {
        let concerned = concerned.clone();
        self.write(move |tx| bump(tx, id, &concerned)).await
    }

    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError> {
        self.read(|tx| members::roles(tx, group, users))
    }

    async fn seat(&self, group: GroupId, user: &UserId) -> Result<Seat, StoreError> {
        self.read(|tx| members::seat(tx, group, user))
    }

    async fn set_role(&self, group: GroupId, write: &RoleWrite) -> Result<Written, StoreError> {
        let (write, now_ms) = (write.clone(), self.clock.wall_ms());
        self.write(move |tx| members::set_role(tx, group, (&write, now_ms))).await
    }

    async fn members(
        &self,
        group: GroupId,
        after: Option<&UserId>,
        limit: u16,
    ) -> Result<Vec<Member>, StoreError> {
        self.read(|tx| members::page(tx, group, after, limit))
    }

    async fn count_members(&self, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
        self.read(|tx| members::count(tx, group, up_to))
    }

    async fn groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        self.read(|tx| members::groups_of(tx, user))
    }

    async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, StoreError> {
        let channel = channel.clone();
        self.write(move |tx| channels::create(tx, &channel)).await
    }

    async fn set_overrides(
        &self,
        channel: ChannelId,
        overrides: &[Override],
        over: Revision,
    ) -> Result<Written, StoreError> {
        let overrides = overrides.to_vec();
        self.write(move |tx| channels::set_overrides(tx, channel, (&overrides, over))).await
    }

    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError> {
        self.write(move |tx| channels::delete(tx, id)).await
    }

    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
        self.read(|tx| channels::of_groups(tx, groups))
    }
}

/// The official group; it has the configured name.
pub(super) fn put_official(tx: &WriteTransaction, name: &str) -> Result<(), StoreError> {
    let settings = GroupSettings { name: name.to_owned(), topic: String::new() };
    create(tx, GroupId::OFFICIAL, &GroupKind::Official, &settings)?;
    let known = row(&tx.open_table(GROUPS)?, GroupId::OFFICIAL)?;
    known.map_or(Ok(()), |mut row| {
        row.settings.name = settings.name;
        put(tx, GroupId::OFFICIAL, &row)
    })
}

fn create(
    tx: &WriteTransaction,
    id: GroupId,
    kind: &GroupKind,
    settings: &GroupSettings,
) -> Result<Group, StoreError> {
    if let Some(known) = row(&tx.open_table(GROUPS)?, id)? {
        return Ok(known.group(id));
    }
    let (kind, settings) = (kind.clone(), settings.clone());
    let (revision, version) = (Revision::default(), AccessVersion(1));
    let new = Row { kind, settings, appointed: Vec::new(), revision, version, changes: Vec::new() };
    put(tx, id, &new)?;
    if let GroupKind::Private { owner } = &new.kind {
        let (user, role, since_ms) = (owner.clone(), Some(Role::Owner), MessageId(id.0).timestamp_ms());
        members::set_role(tx, id, (&RoleWrite { user, role, over: revision, since_ms }, since_ms))?;
    }
    Ok(new.group(id))
}

/// Replaces something of a group over a revision.
fn replace(
    tx: &WriteTransaction,
    (id, over): (GroupId, Revision),
    set: &impl Fn(Row) -> Row,
) -> Result<Written, StoreError> {
    let Some(known) = row(&tx.open_table(GROUPS)?, id)? else { return Ok(Written::Overtaken) };
    let revision = known.revision;
    let replaced = Row { revision: over.next(), ..set(known.clone()) };
    if revision != over {
        return Ok(Written::already(known == replaced));
    }
    put(tx, id, &replaced)?;
    Ok(Written::Yes)
}

fn delete(tx: &WriteTransaction, id: GroupId) -> Result<(), StoreError> {
    let channels: Result<Vec<_>, StoreError> = {
        let table = tx.open_table(CHANNELS_OF)?;
        let of_group = table.range((id.0, 0)..=(id.0, u64::MAX))?;
        of_group.map(|row| Ok(ChannelId(row?.0.value().1))).collect()
    };
    for channel in channels? {
        channels::delete(tx, channel)?;
    }
    members::remove_all(tx, id)?;
    tx.open_table(GROUPS)?.remove(id.0)?;
    Ok(())
}

fn bump(
    tx: &WriteTransaction,
    id: GroupId,
    concerned: &Concerned,
) -> Result<Option<AccessVersion>, StoreError> {
    let Some(mut row) = row(&tx.open_table(GROUPS)?, id)? else { return Ok(None) };
    row.version.0 += 1;
    row.changes.push(concerned.clone());
    let forgotten = row.changes.len().saturating_sub(CHANGES_REMEMBERED);
    row.changes.drain(..forgotten);
    put(tx, id, &row)?;
    channels::raise_access(tx, id, row.version)?;
    Ok(Some(row.version))
}

fn row(table: &impl ReadableTable<u64, &'static [u8]>, id: GroupId) -> Result<Option<Row>, StoreError> {
    let Some(row) = table.get(id.0)? else { return Ok(None) };
    serde_json::from_slice(row.value()).map_err(|error| unreadable("a group", &error))
}

fn put(tx: &WriteTransaction, id: GroupId, row: &Row) -> Result<(), StoreError> {
    let row = serde_json::to_vec(row).map_err(|error| unreadable("a group", &error))?;
    tx.open_table(GROUPS)?.insert(id.0, row.as_slice())?;
    Ok(())
}

impl Row {
    fn group(self, id: GroupId) -> Group {
        let Self { kind, settings, appointed, revision, version, changes } = self;
        Group { id, kind, settings, appointed, revision, version, changes }
    }
}

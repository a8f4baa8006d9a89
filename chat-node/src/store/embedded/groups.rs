//! Groups and their members.

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::fault::unreadable;
use super::tables::{CHANNELS_OF, GROUPS, GROUPS_OF, MEMBERS};
use super::{Embedded, channels};
use crate::groups::{
    CHANGES_REMEMBERED, Concerned, GROUPS_OF_USER_MAX, Group, GroupKind, GroupSettings, Member, Override,
    Role,
};
use crate::ids::{AccessVersion, ChannelId, GroupId, MessageId, UserId};
use crate::store::{Channel, GroupStore, NewChannel, StoreError};

#[derive(Serialize, Deserialize)]
struct Row {
    kind: GroupKind,
    settings: GroupSettings,
    version: AccessVersion,
    changes: Vec<Concerned>,
}

#[derive(Serialize, Deserialize)]
struct MemberRow {
    role: Role,
    since_ms: u64,
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
        self.read(move |tx| Ok(row(&tx.open_table(GROUPS)?, id)?.map(|row| row.group(id)))).await
    }

    async fn set_group_settings(&self, id: GroupId, settings: &GroupSettings) -> Result<(), StoreError> {
        let settings = settings.clone();
        self.write(move |tx| set_settings(tx, id, &settings)).await
    }

    async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        self.write(move |tx| delete(tx, id)).await
    }

    async fn bump(&self, id: GroupId, concerned: &Concerned) -> Result<Option<AccessVersion>, StoreError> {
        let concerned = concerned.clone();
        self.write(move |tx| bump(tx, id, &concerned)).await
    }

    async fn roles(&self, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError> {
        let users = users.to_vec();
        self.read(move |tx| roles(tx, group, &users)).await
    }

    async fn set_role(
        &self,
        group: GroupId,
        member: (&UserId, Option<Role>),
        since_ms: u64,
    ) -> Result<(), StoreError> {
        let (user, role) = (member.0.clone(), member.1);
        self.write(move |tx| set_role(tx, group, (&user, role), since_ms)).await
    }

    async fn members(
        &self,
        group: GroupId,
        after: Option<&UserId>,
        limit: u16,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.cloned();
        self.read(move |tx| members(tx, group, after.as_ref(), limit)).await
    }

    async fn count_members(&self, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
        self.read(move |tx| count_members(tx, group, up_to)).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        let user = user.clone();
        self.read(move |tx| groups_of(tx, &user)).await
    }

    async fn create_channel(&self, channel: &NewChannel) -> Result<Channel, StoreError> {
        let channel = channel.clone();
        self.write(move |tx| channels::create(tx, &channel)).await
    }

    async fn set_overrides(&self, channel: ChannelId, overrides: &[Override]) -> Result<(), StoreError> {
        let overrides = overrides.to_vec();
        self.write(move |tx| channels::set_overrides(tx, channel, &overrides)).await
    }

    async fn delete_channel(&self, id: ChannelId) -> Result<(), StoreError> {
        self.write(move |tx| channels::delete(tx, id)).await
    }

    async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
        let groups = groups.to_vec();
        self.read(move |tx| channels::of_groups(tx, &groups)).await
    }
}

/// The official group; it has the configured name.
pub(super) fn put_official(tx: &WriteTransaction, name: &str) -> Result<(), StoreError> {
    let settings = GroupSettings { name: name.to_owned(), topic: String::new() };
    let group = create(tx, GroupId::OFFICIAL, &GroupKind::Official, &settings)?;
    set_settings(tx, GroupId::OFFICIAL, &GroupSettings { name: settings.name, ..group.settings })
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
    let new = Row { kind, settings, version: AccessVersion(1), changes: Vec::new() };
    put(tx, id, &new)?;
    if let GroupKind::Private { owner } = &new.kind {
        set_role(tx, id, (owner, Some(Role::Owner)), MessageId(id.0).timestamp_ms())?;
    }
    Ok(new.group(id))
}

fn set_settings(tx: &WriteTransaction, id: GroupId, settings: &GroupSettings) -> Result<(), StoreError> {
    let known = row(&tx.open_table(GROUPS)?, id)?;
    known.map_or(Ok(()), |row| put(tx, id, &Row { settings: settings.clone(), ..row }))
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
    // The table is closed before rows are removed from it.
    let members = listed(&tx.open_table(MEMBERS)?, id, None, usize::MAX)?;
    for member in members {
        set_role(tx, id, (&member.user_id, None), 0)?;
    }
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

fn roles(tx: &ReadTransaction, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Role)>, StoreError> {
    let table = tx.open_table(MEMBERS)?;
    let mut found = Vec::new();
    for user in users {
        if let Some(row) = member(&table, group, user)? {
            found.push((user.clone(), row.role));
        }
    }
    Ok(found)
}

fn set_role(
    tx: &WriteTransaction,
    group: GroupId,
    (user, role): (&UserId, Option<Role>),
    since_ms: u64,
) -> Result<(), StoreError> {
    let (mut members, mut groups) = (tx.open_table(MEMBERS)?, tx.open_table(GROUPS_OF)?);
    let (key, reverse) = ((group.0, user.as_str()), (user.as_str(), group.0));
    let Some(role) = role else {
        members.remove(key)?;
        groups.remove(reverse)?;
        return Ok(());
    };
    let since_ms = member(&members, group, user)?.map_or(since_ms, |row| row.since_ms);
    let row =
        serde_json::to_vec(&MemberRow { role, since_ms }).map_err(|error| unreadable("a member", &error))?;
    members.insert(key, row.as_slice())?;
    groups.insert(reverse, ())?;
    Ok(())
}

fn members(
    tx: &ReadTransaction,
    group: GroupId,
    after: Option<&UserId>,
    limit: u16,
) -> Result<Vec<Member>, StoreError> {
    listed(&tx.open_table(MEMBERS)?, group, after, limit.into())
}

fn listed(
    table: &impl ReadableTable<(u64, &'static str), &'static [u8]>,
    group: GroupId,
    after: Option<&UserId>,
    limit: usize,
) -> Result<Vec<Member>, StoreError> {
    let first = (group.0, after.map_or("", UserId::as_str));
    let rows = table.range(first..(group.0 + 1, ""))?;
    let member = |row| {
        let (key, row): (redb::AccessGuard<'_, (u64, &str)>, redb::AccessGuard<'_, &[u8]>) = row;
        let user_id =
            key.value().1.parse().map_err(|error| StoreError::Corrupt(format!("a member: {error}")))?;
        let MemberRow { role, since_ms } = parse(row.value())?;
        Ok(Member { user_id, role, since_ms })
    };
    let later = rows.filter(|row| {
        row.as_ref().map_or(true, |(key, _)| after.is_none_or(|after| key.value().1 != after.as_str()))
    });
    later.take(limit).map(|row| member(row?)).collect()
}

fn count_members(tx: &ReadTransaction, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
    let table = tx.open_table(MEMBERS)?;
    let mut count = 0;
    for row in table.range((group.0, "")..(group.0 + 1, ""))?.take(up_to as usize) {
        row?;
        count += 1;
    }
    Ok(count)
}

fn groups_of(tx: &ReadTransaction, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
    let (table, members) = (tx.open_table(GROUPS_OF)?, tx.open_table(MEMBERS)?);
    let mut found = Vec::new();
    for row in table.range((user.as_str(), 0)..=(user.as_str(), u64::MAX))?.take(GROUPS_OF_USER_MAX + 1) {
        let group = GroupId(row?.0.value().1);
        found.extend(member(&members, group, user)?.map(|row| (group, row.role)));
    }
    Ok(found)
}

fn member(
    table: &impl ReadableTable<(u64, &'static str), &'static [u8]>,
    group: GroupId,
    user: &UserId,
) -> Result<Option<MemberRow>, StoreError> {
    table.get((group.0, user.as_str()))?.map(|row| parse(row.value())).transpose()
}

fn parse(row: &[u8]) -> Result<MemberRow, StoreError> {
    serde_json::from_slice(row).map_err(|error| unreadable("a member", &error))
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
        let Self { kind, settings, version, changes } = self;
        Group { id, kind, settings, version, changes }
    }
}

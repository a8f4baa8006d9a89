//! The members of groups, and for a while the revisions of rows that are removed.

use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::fault::unreadable;
use super::tables::{FORMER, FORMER_SINCE, GROUPS_OF, MEMBERS};
use crate::groups::{GROUPS_OF_USER_MAX, Member, Role};
use crate::ids::{GroupId, Revision, UserId};
use crate::store::{REMEMBERED, RoleWrite, Seat, StoreError, Written};

/// How many removed rows are forgotten when one more is removed.
const FORGOTTEN_AT_ONCE: usize = 8;

#[derive(Serialize, Deserialize)]
struct MemberRow {
    role: Role,
    since_ms: u64,
    #[serde(default)]
    revision: Revision,
}

pub(super) fn seat(tx: &ReadTransaction, group: GroupId, user: &UserId) -> Result<Seat, StoreError> {
    let (row, former) = (member(&tx.open_table(MEMBERS)?, group, user)?, tx.open_table(FORMER)?);
    seat_of(row.as_ref(), &former, (group, user))
}

pub(super) fn roles(
    tx: &ReadTransaction,
    group: GroupId,
    users: &[UserId],
) -> Result<Vec<(UserId, Role)>, StoreError> {
    let table = tx.open_table(MEMBERS)?;
    let mut found = Vec::new();
    for user in users {
        if let Some(row) = member(&table, group, user)? {
            found.push((user.clone(), row.role));
        }
    }
    Ok(found)
}

pub(super) fn set_role(
    tx: &WriteTransaction,
    group: GroupId,
    (write, now_ms): (&RoleWrite, u64),
) -> Result<Written, StoreError> {
    let row = member(&tx.open_table(MEMBERS)?, group, &write.user)?;
    let seat = seat_of(row.as_ref(), &tx.open_table(FORMER)?, (group, &write.user))?;
    let wanted = Seat { role: write.role, revision: write.over.next() };
    if seat.revision != write.over {
        return Ok(Written::already(seat == wanted));
    }
    match write.role {
        Some(role) => {
            let since_ms = row.map_or(write.since_ms, |row| row.since_ms);
            put(tx, (group, &write.user), &MemberRow { role, since_ms, revision: wanted.revision })?;
        }
        None => {
            forget_some(tx, now_ms)?;
            remove(tx, (group, &write.user), (wanted.revision, now_ms))?;
        }
    }
    Ok(Written::Yes)
}

/// Removes the rows of a group that is deleted; it does not come back.
pub(super) fn remove_all(tx: &WriteTransaction, group: GroupId) -> Result<(), StoreError> {
    let (mut members, mut groups) = (tx.open_table(MEMBERS)?, tx.open_table(GROUPS_OF)?);
    for row in members.extract_from_if((group.0, "")..(group.0 + 1, ""), |_, _| true)? {
        groups.remove((row?.0.value().1, group.0))?;
    }
    Ok(())
}

pub(super) fn page(
    tx: &ReadTransaction,
    group: GroupId,
    after: Option<&UserId>,
    limit: u16,
) -> Result<Vec<Member>, StoreError> {
    let table = tx.open_table(MEMBERS)?;
    let first = (group.0, after.map_or("", UserId::as_str));
    let rows = table.range(first..(group.0 + 1, ""))?;
    let member = |row| {
        let (key, row): (redb::AccessGuard<'_, (u64, &str)>, redb::AccessGuard<'_, &[u8]>) = row;
        let user_id =
            key.value().1.parse().map_err(|error| StoreError::Corrupt(format!("a member: {error}")))?;
        let MemberRow { role, since_ms, .. } = parse(row.value())?;
        Ok(Member { user_id, role, since_ms })
    };
    let later = rows.filter(|row| {
        row.as_ref().map_or(true, |(key, _)| after.is_none_or(|after| key.value().1 != after.as_str()))
    });
    later.take(limit.into()).map(|row| member(row?)).collect()
}

pub(super) fn count(tx: &ReadTransaction, group: GroupId, up_to: u32) -> Result<u32, StoreError> {
    let table = tx.open_table(MEMBERS)?;
    let mut count = 0;
    for row in table.range((group.0, "")..(group.0 + 1, ""))?.take(up_to as usize) {
        row?;
        count += 1;
    }
    Ok(count)
}

pub(super) fn groups_of(tx: &ReadTransaction, user: &UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
    let (table, members) = (tx.open_table(GROUPS_OF)?, tx.open_table(MEMBERS)?);
    let mut found = Vec::new();
    for row in table.range((user.as_str(), 0)..=(user.as_str(), u64::MAX))?.take(GROUPS_OF_USER_MAX + 1) {
        let group = GroupId(row?.0.value().1);
        found.extend(member(&members, group, user)?.map(|row| (group, row.role)));
    }
    Ok(found)
}

fn seat_of(
    row: Option<&MemberRow>,
    former: &impl ReadableTable<(u64, &'static str), (u64, u64)>,
    (group, user): (GroupId, &UserId),
) -> Result<Seat, StoreError> {
    if let Some(row) = row {
        return Ok(Seat { role: Some(row.role), revision: row.revision });
    }
    let left = former.get((group.0, user.as_str()))?;
    Ok(Seat { role: None, revision: left.map_or_else(Revision::default, |left| Revision(left.value().0)) })
}

fn put(tx: &WriteTransaction, (group, user): (GroupId, &UserId), row: &MemberRow) -> Result<(), StoreError> {
    let row = serde_json::to_vec(row).map_err(|error| unreadable("a member", &error))?;
    tx.open_table(MEMBERS)?.insert((group.0, user.as_str()), row.as_slice())?;
    tx.open_table(GROUPS_OF)?.insert((user.as_str(), group.0), ())?;
    forget(tx, (group, user))
}

fn remove(
    tx: &WriteTransaction,
    (group, user): (GroupId, &UserId),
    (revision, now_ms): (Revision, u64),
) -> Result<(), StoreError> {
    tx.open_table(MEMBERS)?.remove((group.0, user.as_str()))?;
    tx.open_table(GROUPS_OF)?.remove((user.as_str(), group.0))?;
    forget(tx, (group, user))?;
    tx.open_table(FORMER)?.insert((group.0, user.as_str()), (revision.0, now_ms))?;
    tx.open_table(FORMER_SINCE)?.insert((now_ms, group.0, user.as_str()), ())?;
    Ok(())
}

/// Forgets the revision of a removed row.
fn forget(tx: &WriteTransaction, (group, user): (GroupId, &UserId)) -> Result<(), StoreError> {
    let removed_ms = tx.open_table(FORMER)?.remove((group.0, user.as_str()))?.map(|left| left.value().1);
    if let Some(removed_ms) = removed_ms {
        tx.open_table(FORMER_SINCE)?.remove((removed_ms, group.0, user.as_str()))?;
    }
    Ok(())
}

/// Forgets some rows that were removed long ago: more than are removed, so that they do not pile up.
fn forget_some(tx: &WriteTransaction, now_ms: u64) -> Result<(), StoreError> {
    let remembered_ms = u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX);
    let end = (now_ms.saturating_sub(remembered_ms), 0, "");
    let (mut since, mut former) = (tx.open_table(FORMER_SINCE)?, tx.open_table(FORMER)?);
    for row in since.extract_from_if((0, 0, "")..end, |_, _| true)?.take(FORGOTTEN_AT_ONCE) {
        let (key, _) = row?;
        let (_, group, user) = key.value();
        former.remove((group, user))?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Manual;
    use crate::groups::{GroupKind, GroupSettings};
    use crate::store::bucket::BucketLength;
    use crate::store::embedded::Embedded;
    use crate::store::{GroupStore, Store};

    const GROUP: GroupId = GroupId(9);

    async fn put(store: &Embedded, id: &str, role: Option<Role>) {
        let user: UserId = id.parse().unwrap();
        let over = store.seat(GROUP, &user).await.unwrap().revision;
        let write = RoleWrite { user, role, over, since_ms: 0 };
        assert_eq!(store.set_role(GROUP, &write).await, Ok(Written::Yes));
    }

    #[tokio::test]
    async fn what_a_removed_row_leaves_behind_is_forgotten_a_day_later() {
        let clock = Manual::at(1_000_000_000_000);
        let store = Embedded::in_memory(BucketLength::default(), Arc::new(clock.clone())).unwrap();
        store.prepare("Official").await.unwrap();
        let kind = GroupKind::Private { owner: "ada".parse().unwrap() };
        store.create_group(GROUP, &kind, &GroupSettings::default()).await.unwrap();
        for id in ["bob", "carol"] {
            put(&store, id, Some(Role::Member)).await;
            put(&store, id, None).await;
        }
        let revision = async |id: &str| store.seat(GROUP, &id.parse().unwrap()).await.unwrap().revision.0;
        clock.advance(86_400_000);
        put(&store, "carol", Some(Role::Member)).await;
        put(&store, "dave", None).await;
        assert_eq!(revision("bob").await, 2, "it is just a day");
        clock.advance(1);
        put(&store, "eve", None).await;
        assert_eq!((revision("bob").await, revision("carol").await, revision("dave").await), (0, 3, 1));
    }
}

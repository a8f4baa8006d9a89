//! Channels and their heads.

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::fault::{missing, unreadable};
use super::tables::{CHANNELS, CHANNELS_OF, HEADS, MARKS, MEMBERSHIPS, PAIRS};
use crate::groups::Override;
use crate::ids::{AccessVersion, ChannelId, GroupId, Position, Revision, UserId};
use crate::protocol::message::ChannelSettings;
use crate::store::{
    Channel, ChannelKind, DIRECT_CHANNELS_LIMIT, Head, NewChannel, Reservation, Reserve, StoreError, Written,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub kind: Kind,
    pub settings: ChannelSettings,
    /// Position of the last change of the settings that is folded in.
    pub settings_at: Position,
    pub overrides: Vec<Override>,
    /// How often these were replaced.
    #[serde(default)]
    pub revision: Revision,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    Group(GroupId),
    Direct([UserId; 2]),
}

/// The official group's first channel; its name is the configured one until its settings are changed.
pub(super) fn put_official(tx: &WriteTransaction, name: &str) -> Result<(), StoreError> {
    let name = name.to_owned();
    let row = match row(&tx.open_table(CHANNELS)?, ChannelId::OFFICIAL)? {
        Some(row) if row.settings_at > Position(0) => return Ok(()),
        Some(row) => Row { settings: ChannelSettings { name, ..row.settings }, ..row },
        None => {
            let settings = ChannelSettings { name, ..ChannelSettings::default() };
            Row::new(Kind::Group(GroupId::OFFICIAL), settings, Vec::new())
        }
    };
    tx.open_table(CHANNELS_OF)?.insert((GroupId::OFFICIAL.0, ChannelId::OFFICIAL.0), ())?;
    put(tx, ChannelId::OFFICIAL, &row)
}

impl Row {
    fn new(kind: Kind, settings: ChannelSettings, overrides: Vec<Override>) -> Self {
        Self { kind, settings, settings_at: Position(0), overrides, revision: Revision::default() }
    }
}

pub(super) fn open_direct(
    tx: &WriteTransaction,
    id: ChannelId,
    users: &[UserId; 2],
) -> Result<Channel, StoreError> {
    let mut pairs = tx.open_table(PAIRS)?;
    let pair = (users[0].as_str(), users[1].as_str());
    let known = pairs.get(pair)?.map(|id| ChannelId(id.value()));
    if let Some(known) = known {
        return get_written(tx, known)?.ok_or_else(|| missing("two users' channel"));
    }
    if tx.open_table(CHANNELS)?.get(id.0)?.is_some() {
        return Err(StoreError::Refused(format!("channel id {id} is taken")));
    }
    pairs.insert(pair, id.0)?;
    let mut memberships = tx.open_table(MEMBERSHIPS)?;
    for user in users {
        memberships.insert((user.as_str(), id.0), ())?;
    }
    put(tx, id, &Row::new(Kind::Direct(users.clone()), ChannelSettings::default(), Vec::new()))?;
    get_written(tx, id)?.ok_or_else(|| missing("two users' channel"))
}

pub(super) fn create(tx: &WriteTransaction, new: &NewChannel) -> Result<Channel, StoreError> {
    if row(&tx.open_table(CHANNELS)?, new.id)?.is_none() {
        tx.open_table(CHANNELS_OF)?.insert((new.group.0, new.id.0), ())?;
        let row = Row::new(Kind::Group(new.group), new.settings.clone(), new.overrides.clone());
        put(tx, new.id, &row)?;
    }
    get_written(tx, new.id)?.ok_or_else(|| missing("a new channel"))
}

pub(super) fn set_overrides(
    tx: &WriteTransaction,
    id: ChannelId,
    (overrides, over): (&[Override], Revision),
) -> Result<Written, StoreError> {
    let Some(known) = row(&tx.open_table(CHANNELS)?, id)? else { return Ok(Written::Overtaken) };
    if known.revision != over {
        return Ok(Written::already(known.revision == over.next() && known.overrides == overrides));
    }
    put(tx, id, &Row { overrides: overrides.to_vec(), revision: over.next(), ..known })?;
    Ok(Written::Yes)
}

/// Removes a group's channel; direct ones stay.
pub(super) fn delete(tx: &WriteTransaction, id: ChannelId) -> Result<(), StoreError> {
    let Some(Row { kind: Kind::Group(group), .. }) = row(&tx.open_table(CHANNELS)?, id)? else {
        return Ok(());
    };
    tx.open_table(CHANNELS_OF)?.remove((group.0, id.0))?;
    tx.open_table(CHANNELS)?.remove(id.0)?;
    tx.open_table(HEADS)?.remove(id.0)?;
    tx.open_table(MARKS)?.remove(id.0)?;
    Ok(())
}

pub(super) fn of_groups(tx: &ReadTransaction, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
    let (table, stored) = (tx.open_table(CHANNELS_OF)?, Stored::open(tx)?);
    let mut found = Vec::new();
    for group in groups {
        for row in table.range((group.0, 0)..=(group.0, u64::MAX))? {
            let id = ChannelId(row?.0.value().1);
            found.push(stored.get(id)?.ok_or_else(|| missing("a group's channel"))?);
        }
    }
    found.sort_by_key(|channel| channel.id);
    Ok(found)
}

/// Raises the access version of a group's channels.
pub(super) fn raise_access(
    tx: &WriteTransaction,
    group: GroupId,
    version: AccessVersion,
) -> Result<(), StoreError> {
    let (of_group, mut heads) = (tx.open_table(CHANNELS_OF)?, tx.open_table(HEADS)?);
    for row in of_group.range((group.0, 0)..=(group.0, u64::MAX))? {
        let id = row?.0.value().1;
        let head = heads.get(id)?.map(|row| row.value());
        if let Some((head, time_ms, last_message, access)) = head {
            heads.insert(id, (head, time_ms, last_message, access.max(version.0)))?;
        }
    }
    Ok(())
}

/// Raises the position up to which changes are folded, and the floor; neither falls. Gives the floor.
pub(super) fn raise_marks(
    tx: &WriteTransaction,
    id: ChannelId,
    (folded, floor): (Position, Position),
) -> Result<Position, StoreError> {
    if row(&tx.open_table(CHANNELS)?, id)?.is_none() {
        return Ok(floor);
    }
    let mut marks = tx.open_table(MARKS)?;
    let (old_folded, old_floor) = marks.get(id.0)?.map_or((0, 0), |marks| marks.value());
    let floor = floor.0.max(old_floor);
    marks.insert(id.0, (folded.0.max(old_folded), floor))?;
    Ok(Position(floor))
}

pub(super) fn reserve(
    tx: &WriteTransaction,
    channel: ChannelId,
    wanted: Reserve,
    now_ms: u64,
) -> Result<Reservation, StoreError> {
    let mut heads = tx.open_table(HEADS)?;
    let Some((head, time_ms, last_message, access)) = heads.get(channel.0)?.map(|row| row.value()) else {
        return Err(StoreError::no_channel(channel));
    };
    let (first, first_ms, count) = (head + 1, now_ms.max(time_ms + 1), u64::from(wanted.count));
    let last_message =
        if wanted.last_message == 0 { last_message } else { head + u64::from(wanted.last_message) };
    heads.insert(channel.0, (head + count, first_ms + count - 1, last_message, access))?;
    Ok(Reservation { first: Position(first), first_ms, access: AccessVersion(access) })
}

/// What channels are read from. To open a table costs more than to find a row in it.
struct Stored {
    channels: ReadOnlyTable<u64, &'static [u8]>,
    heads: ReadOnlyTable<u64, (u64, u64, u64, u64)>,
    marks: ReadOnlyTable<u64, (u64, u64)>,
}

impl Stored {
    fn open(tx: &ReadTransaction) -> Result<Self, StoreError> {
        let (channels, heads) = (tx.open_table(CHANNELS)?, tx.open_table(HEADS)?);
        Ok(Self { channels, heads, marks: tx.open_table(MARKS)? })
    }

    fn get(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        let Some(row) = row(&self.channels, id)? else { return Ok(None) };
        channel(id, row, &self.heads, &self.marks).map(Some)
    }
}

pub(super) fn get(tx: &ReadTransaction, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    Stored::open(tx)?.get(id)
}

fn get_written(tx: &WriteTransaction, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    let Some(row) = row(&tx.open_table(CHANNELS)?, id)? else { return Ok(None) };
    channel(id, row, &tx.open_table(HEADS)?, &tx.open_table(MARKS)?).map(Some)
}

fn channel(
    id: ChannelId,
    row: Row,
    heads: &impl ReadableTable<u64, (u64, u64, u64, u64)>,
    marks: &impl ReadableTable<u64, (u64, u64)>,
) -> Result<Channel, StoreError> {
    let (head, _, last_message, access) =
        heads.get(id.0)?.ok_or_else(|| missing("a channel's head"))?.value();
    let (folded, floor) = marks.get(id.0)?.map_or((0, 0), |marks| marks.value());
    let kind = match row.kind {
        Kind::Group(group) => ChannelKind::Group(group),
        Kind::Direct(users) => ChannelKind::Direct(users),
    };
    Ok(Channel {
        id,
        kind,
        settings: row.settings,
        overrides: row.overrides,
        revision: row.revision,
        access: AccessVersion(access),
        head: Position(head),
        last_message: Position(last_message),
        folded: Position(folded),
        floor: Position(floor),
    })
}

/// Entries up to here are gone.
pub(super) fn floor(tx: &ReadTransaction, id: ChannelId) -> Result<Position, StoreError> {
    Ok(Position(tx.open_table(MARKS)?.get(id.0)?.map_or(0, |marks| marks.value().1)))
}

pub(super) fn heads(tx: &ReadTransaction, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Head)>, StoreError> {
    let (table, marks) = (tx.open_table(HEADS)?, tx.open_table(MARKS)?);
    let mut heads = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(row) = table.get(id.0)? else { continue };
        let (head, _, _, access) = row.value();
        let floor = Position(marks.get(id.0)?.map_or(0, |marks| marks.value().1));
        heads.push((*id, Head { position: Position(head), access: AccessVersion(access), floor }));
    }
    Ok(heads)
}

pub(super) fn of_user(tx: &ReadTransaction, user: &UserId) -> Result<Vec<Channel>, StoreError> {
    let (memberships, stored) = (tx.open_table(MEMBERSHIPS)?, Stored::open(tx)?);
    let of_user = memberships.range((user.as_str(), 0)..=(user.as_str(), u64::MAX))?;
    let newest = of_user.rev().take(DIRECT_CHANNELS_LIMIT);
    let channel = |id| stored.get(ChannelId(id))?.ok_or_else(|| missing("a user's channel"));
    newest.map(|row| channel(row?.0.value().1)).collect()
}

pub(super) fn row(
    table: &impl ReadableTable<u64, &'static [u8]>,
    id: ChannelId,
) -> Result<Option<Row>, StoreError> {
    let Some(row) = table.get(id.0)? else { return Ok(None) };
    serde_json::from_slice(row.value()).map_err(|error| unreadable("a channel", &error))
}

/// Writes a channel's row; its head stays if it has one.
pub(super) fn put(tx: &WriteTransaction, id: ChannelId, row: &Row) -> Result<(), StoreError> {
    let row = serde_json::to_vec(row).map_err(|error| unreadable("a channel", &error))?;
    tx.open_table(CHANNELS)?.insert(id.0, row.as_slice())?;
    let mut heads = tx.open_table(HEADS)?;
    if heads.get(id.0)?.is_none() {
        heads.insert(id.0, (0, 0, 0, 0))?;
    }
    Ok(())
}

//! Documents of channels and users as stored, and what they mean. Whole numbers are signed there.

use mongodb::bson::{Bson, doc, serialize_to_bson};
use serde::{Deserialize, Serialize};

use crate::groups::Override;
use crate::ids::{AccessVersion, ChannelId, GroupId, MessageId, Position, Revision, UserId};
use crate::protocol::message::ChannelSettings;
use crate::store::bucket::Bucket;
use crate::store::{Channel, ChannelKind, Head, NewChannel, StoreError};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChannelRow {
    #[serde(rename = "_id")]
    pub id: i64,
    #[serde(flatten)]
    kind: KindRow,
    settings: ChannelSettings,
    /// Position of the last change of the settings that is folded in.
    settings_at: i64,
    overrides: Vec<Override>,
    #[serde(default, skip_serializing_if = "is_zero")]
    revision: i64,
    access: i64,
    head: i64,
    /// The last position's time, in ms since the Unix epoch.
    time: i64,
    last_message: i64,
    folded: i64,
    floor: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum KindRow {
    Group {
        group: i64,
    },
    Direct {
        users: [UserId; 2],
        /// Both, with a space between: unique.
        pair: String,
    },
}

/// Of a channel, only its head.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct HeadRow {
    #[serde(rename = "_id")]
    id: i64,
    head: i64,
    access: i64,
    floor: i64,
}

/// Of a channel, what its last reservation made of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReservedRow {
    pub head: i64,
    pub time: i64,
    pub access: i64,
}

impl HeadRow {
    pub fn head(self) -> Result<(ChannelId, Head), StoreError> {
        let (position, access) = (Position(unsigned(self.head)?), AccessVersion(unsigned(self.access)?));
        let floor = Position(unsigned(self.floor)?);
        Ok((ChannelId(unsigned(self.id)?), Head { position, access, floor }))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UserRow {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub name: String,
}

/// A number as the store holds it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as the store held it.
pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt(format!("a number is {number}")))
}

/// A value as the store holds it.
pub(super) fn bson<T: Serialize + ?Sized>(value: &T) -> Result<Bson, StoreError> {
    serialize_to_bson(value).map_err(|error| StoreError::Refused(format!("it cannot hold a value: {error}")))
}

/// A revision as the store holds it.
pub(super) fn revision(revision: Revision) -> i64 {
    signed(revision.0)
}

/// What a document's revision is matched with. The first one is not stored.
pub(super) fn at(revision: Revision) -> Bson {
    if revision.is_first() {
        return Bson::Document(doc! { "$exists": false });
    }
    Bson::Int64(signed(revision.0))
}

/// Whether a revision is the first one.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn is_zero(revision: &i64) -> bool {
    *revision == 0
}

/// The unique key of two users.
pub(super) fn pair(users: &[UserId; 2]) -> String {
    format!("{} {}", users[0], users[1])
}

impl ChannelRow {
    pub fn of_group(channel: &NewChannel) -> Self {
        let NewChannel { id, group, settings, overrides } = channel.clone();
        Self { overrides, ..Self::new(id, KindRow::Group { group: signed(group.0) }, settings) }
    }

    pub fn direct(id: ChannelId, users: &[UserId; 2]) -> Self {
        let kind = KindRow::Direct { users: users.clone(), pair: pair(users) };
        Self::new(id, kind, ChannelSettings::default())
    }

    fn new(id: ChannelId, kind: KindRow, settings: ChannelSettings) -> Self {
        Self {
            id: signed(id.0),
            kind,
            settings,
            settings_at: 0,
            overrides: Vec::new(),
            revision: 0,
            access: 0,
            head: 0,
            time: 0,
            last_message: 0,
            folded: 0,
            floor: 0,
        }
    }

    pub fn channel(self) -> Result<Channel, StoreError> {
        let kind = match self.kind {
            KindRow::Group { group } => ChannelKind::Group(GroupId(unsigned(group)?)),
            KindRow::Direct { users, .. } => ChannelKind::Direct(users),
        };
        let position = |number| unsigned(number).map(Position);
        Ok(Channel {
            id: ChannelId(unsigned(self.id)?),
            kind,
            settings: self.settings,
            overrides: self.overrides,
            revision: Revision(unsigned(self.revision)?),
            access: AccessVersion(unsigned(self.access)?),
            head: position(self.head)?,
            last_message: position(self.last_message)?,
            folded: position(self.folded)?,
            floor: position(self.floor)?,
        })
    }
}

macro_rules! as_signed {
    ($($name:ty),*) => {$(
        impl From<$name> for Bson {
            fn from(number: $name) -> Self {
                Self::Int64(signed(number.0))
            }
        }
    )*};
}

as_signed!(ChannelId, GroupId, MessageId, Position, AccessVersion, Bucket);

//! The tables. Rows without a fixed shape are JSON.

use redb::TableDefinition;

/// `version` and `bucket_ms` of the layout.
pub(super) const LAYOUT: TableDefinition<&str, u64> = TableDefinition::new("layout");
/// User id → shown name.
pub(super) const USERS: TableDefinition<&str, &str> = TableDefinition::new("users");
/// Server id → lease as JSON.
pub(super) const LEASES: TableDefinition<u16, &[u8]> = TableDefinition::new("leases");
/// Channel → whose it is and what it shows, as JSON.
pub(super) const CHANNELS: TableDefinition<u64, &[u8]> = TableDefinition::new("channels");
/// Channel → last position, its time in ms, position of the last message, access version.
pub(super) const HEADS: TableDefinition<u64, (u64, u64, u64, u64)> = TableDefinition::new("heads");
/// Channel → position up to which changes are folded, floor.
pub(super) const MARKS: TableDefinition<u64, (u64, u64)> = TableDefinition::new("marks");
/// Two users, in order → their channel.
pub(super) const PAIRS: TableDefinition<(&str, &str), u64> = TableDefinition::new("pairs");
/// User and channel, for the user's channels.
pub(super) const MEMBERSHIPS: TableDefinition<(&str, u64), ()> = TableDefinition::new("memberships");
/// Channel and position → message or change as JSON; empty for a void.
pub(super) const ENTRIES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("entries");
/// Id of a message or change → channel and position.
pub(super) const IDS: TableDefinition<u64, (u64, u64)> = TableDefinition::new("ids");
/// Message and position of every edit of it.
pub(super) const EDITS: TableDefinition<(u64, u64), ()> = TableDefinition::new("edits");
/// Channel and id of every pinned message.
pub(super) const PINS: TableDefinition<(u64, u64), ()> = TableDefinition::new("pins");
/// Message, emoji and user → position of the last change that is folded in, and whether the reaction is there.
pub(super) const REACTIONS: TableDefinition<(u64, &str, &str), (u64, bool)> =
    TableDefinition::new("reactions");
/// Group → kind, settings, version and last changes as JSON.
pub(super) const GROUPS: TableDefinition<u64, &[u8]> = TableDefinition::new("groups");
/// Group and user → role, since when and revision, as JSON.
pub(super) const MEMBERS: TableDefinition<(u64, &str), &[u8]> = TableDefinition::new("members");
/// User and group, for the user's groups.
pub(super) const GROUPS_OF: TableDefinition<(&str, u64), ()> = TableDefinition::new("groups_of");
/// Group and user whose row is removed → its revision, and when in ms.
pub(super) const FORMER: TableDefinition<(u64, &str), (u64, u64)> = TableDefinition::new("former_members");
/// When in ms a row was removed, group and user, for forgetting it.
pub(super) const FORMER_SINCE: TableDefinition<(u64, u64, &str), ()> =
    TableDefinition::new("former_members_since");
/// Group and channel, for the group's channels.
pub(super) const CHANNELS_OF: TableDefinition<(u64, u64), ()> = TableDefinition::new("channels_of");
/// User and channel → position up to which the user has read.
pub(super) const READS: TableDefinition<(&str, u64), u64> = TableDefinition::new("reads");
/// Channel and position of every change.
pub(super) const CHANGES: TableDefinition<(u64, u64), ()> = TableDefinition::new("changes");
/// Channel and bucket → position of the last message or change in it.
pub(super) const BUCKETS: TableDefinition<(u64, u64), u64> = TableDefinition::new("buckets");
/// Channel, bucket and id of every message that is not deleted → position.
pub(super) const TIMELINE: TableDefinition<(u64, u64, u64), u64> = TableDefinition::new("timeline");
/// Channel, author and nonce → position.
pub(super) const NONCES: TableDefinition<(u64, &str, &str), u64> = TableDefinition::new("nonces");

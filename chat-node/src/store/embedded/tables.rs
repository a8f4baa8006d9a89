//! The tables. Rows without a fixed shape are JSON.

use redb::TableDefinition;

/// `version` and `bucket_ms` of the layout.
pub(super) const LAYOUT: TableDefinition<&str, u64> = TableDefinition::new("layout");
/// User id → shown name.
pub(super) const USERS: TableDefinition<&str, &str> = TableDefinition::new("users");
/// Server id → lease as JSON.
pub(super) const LEASES: TableDefinition<u16, &[u8]> = TableDefinition::new("leases");
/// Channel → kind and name as JSON.
pub(super) const CHANNELS: TableDefinition<u64, &[u8]> = TableDefinition::new("channels");
/// Channel → last position and its time in ms.
pub(super) const HEADS: TableDefinition<u64, (u64, u64)> = TableDefinition::new("heads");
/// Two users, in order → their channel.
pub(super) const PAIRS: TableDefinition<(&str, &str), u64> = TableDefinition::new("pairs");
/// User and channel, for the user's channels.
pub(super) const MEMBERSHIPS: TableDefinition<(&str, u64), ()> = TableDefinition::new("memberships");
/// Channel and position → message as JSON; empty for a void.
pub(super) const ENTRIES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("entries");
/// Message id → channel and position.
pub(super) const MESSAGES: TableDefinition<u64, (u64, u64)> = TableDefinition::new("messages");
/// Channel, bucket and message id → position.
pub(super) const TIMELINE: TableDefinition<(u64, u64, u64), u64> = TableDefinition::new("timeline");
/// Channel, author and nonce → position.
pub(super) const NONCES: TableDefinition<(u64, &str, &str), u64> = TableDefinition::new("nonces");

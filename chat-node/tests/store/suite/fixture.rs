//! A database of its own for every test, and things to put into it.

use std::sync::Arc;

use async_trait::async_trait;
use chat_node::groups::Role;
use chat_node::ids::snowflake::{EPOCH_MS, Snowflakes};
use chat_node::ids::{AccessVersion, ChannelId, GroupId, MessageId, Position, ServerId, UserId};
use chat_node::protocol::message::{Change, ChangeEntry, Composed, Entry, Message, Place, User};
use chat_node::store::bucket::BucketLength;
use chat_node::store::{Inserted, Reserve, RoleWrite, Store, StoreError, Written};

pub const OFFICIAL: ChannelId = ChannelId::OFFICIAL;
/// A moment in 2026, at the start of an hour.
pub const T0: u64 = EPOCH_MS + 500 * 86_400_000;
pub const HOUR_MS: u64 = 3_600_000;

/// One database, empty at first.
pub struct Fixture(Box<dyn Backend>);

/// What keeps a database for the suite.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The store as another node sees it, with buckets of this length. May be the same object where there is only one
    /// node.
    async fn node(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError>;

    /// The same after all others have been dropped, perhaps with another length.
    async fn reopen(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError> {
        self.node(bucket).await
    }
}

impl Fixture {
    /// A database for one test.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self(Box::new(backend))
    }

    /// The store as another node sees it, prepared, with buckets of an hour.
    pub async fn node(&self) -> Arc<dyn Store> {
        let store = self.unprepared().await;
        store.prepare("Official").await.unwrap();
        store
    }

    /// The store as another node sees it before it prepares.
    pub async fn unprepared(&self) -> Arc<dyn Store> {
        self.0.node("1h".parse::<crds::Duration>().unwrap().into()).await.unwrap()
    }

    /// The store with buckets of another length, after all others have been dropped.
    pub async fn open(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError> {
        self.0.reopen(bucket).await
    }
}

pub fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

/// Makes ids of server 0 for times after 2025.
pub fn flakes() -> Snowflakes {
    let mut flakes = Snowflakes::new(ServerId::new(0).unwrap(), EPOCH_MS);
    flakes.allow_until(u64::MAX);
    flakes
}

pub fn message(id: MessageId, position: Position, nonce: &str) -> Message {
    let place = Place { id, channel_id: OFFICIAL, position, access: AccessVersion(0) };
    let author = User { id: user("ada"), name: "Ada Lovelace".to_owned() };
    let content = format!("héllo {nonce} 🎉 $where {{}}\n\"x\"");
    Message::new(place, author, nonce.to_owned(), Composed { content, ..Composed::default() })
}

/// Positions for messages.
pub fn wanted(count: u16) -> Reserve {
    Reserve { count, last_message: count }
}

pub fn void(position: Position) -> Entry {
    Entry::Void { channel_id: OFFICIAL, position }
}

/// Stores a message in the official channel at the time `ms` or later.
pub async fn put(store: &dyn Store, flakes: &mut Snowflakes, ms: u64, nonce: &str) -> Message {
    let reserved = store.reserve(OFFICIAL, wanted(1), ms).await.unwrap();
    let id = MessageId(flakes.take(reserved.first_ms).unwrap());
    let message = Message { access: reserved.access, ..message(id, reserved.first, nonce) };
    assert_eq!(store.insert(&[Entry::Message(message.clone())]).await, Ok(vec![Inserted::New]));
    message
}

/// A change of the official channel by Ada.
pub fn change(id: MessageId, position: Position, change: Change) -> ChangeEntry {
    let by = User { id: user("ada"), name: "Ada Lovelace".to_owned() };
    let (channel_id, access, timestamp_ms) = (OFFICIAL, AccessVersion(0), id.timestamp_ms());
    ChangeEntry { id, channel_id, position, access, by, timestamp_ms, change }
}

/// Stores a change in the official channel, and does not fold it.
pub async fn put_change(
    store: &dyn Store,
    flakes: &mut Snowflakes,
    by: &str,
    changes: Change,
) -> ChangeEntry {
    let reserved = store.reserve(OFFICIAL, Reserve { count: 1, last_message: 0 }, T0).await.unwrap();
    let id = MessageId(flakes.take(reserved.first_ms).unwrap());
    let by = User { id: user(by), name: by.to_owned() };
    let entry = ChangeEntry { by, access: reserved.access, ..change(id, reserved.first, changes) };
    assert_eq!(store.insert(&[Entry::Change(entry.clone())]).await, Ok(vec![Inserted::New]));
    entry
}

/// Gives somebody a role, `None`: none any more, over whatever they are.
pub async fn put_role(store: &dyn Store, group: GroupId, (id, role): (&str, Option<Role>), since_ms: u64) {
    let user = user(id);
    let over = store.seat(group, &user).await.unwrap().revision;
    let written = store.set_role(group, &RoleWrite { user, role, over, since_ms }).await;
    assert_eq!(written, Ok(Written::Yes));
}

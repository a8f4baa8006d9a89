//! A database of its own for every test, and things to put into it.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use chat_node::clock::System;
use chat_node::ids::snowflake::{EPOCH_MS, Snowflakes};
use chat_node::ids::{AccessVersion, ChannelId, MessageId, Position, ServerId, UserId};
use chat_node::protocol::message::{Composed, Entry, Message, Place, User};
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use chat_node::store::mongo::Mongo;
use chat_node::store::{Inserted, Reserve, Store, StoreError};
use futures::FutureExt;

use crate::model::{Calls, Model};

pub const OFFICIAL: ChannelId = ChannelId::OFFICIAL;
/// A moment in 2026, at the start of an hour.
pub const T0: u64 = EPOCH_MS + 500 * 86_400_000;
pub const HOUR_MS: u64 = 3_600_000;

/// One database.
pub struct Fixture(Backend);

enum Backend {
    Simulated(Model),
    Embedded { directory: PathBuf, open: tokio::sync::Mutex<Option<Arc<dyn Store>>> },
    Mongo { uri: String, database: String },
}

impl Fixture {
    /// The store as another node sees it, prepared, with buckets of an hour.
    pub async fn node(&self) -> Arc<dyn Store> {
        let store = self.unprepared().await;
        store.prepare("Official").await.unwrap();
        store
    }

    /// The store as another node sees it before it prepares.
    pub async fn unprepared(&self) -> Arc<dyn Store> {
        let bucket = "1h".parse::<crds::Duration>().unwrap().into();
        if let Backend::Embedded { open, .. } = &self.0
            && let Some(store) = &*open.lock().await
        {
            return store.clone();
        }
        self.open(bucket).await.unwrap()
    }

    /// The store with buckets of another length. For an embedded one all others must have been dropped.
    pub async fn open(&self, bucket: BucketLength) -> Result<Arc<dyn Store>, StoreError> {
        match &self.0 {
            Backend::Simulated(model) => Ok(Arc::new(Calls(model.with_bucket(bucket)))),
            Backend::Embedded { directory, open } => {
                let mut open = open.lock().await;
                *open = None;
                let store: Arc<dyn Store> = Arc::new(Embedded::open(directory, bucket, Arc::new(System))?);
                *open = Some(store.clone());
                Ok(store)
            }
            Backend::Mongo { uri, database } => Ok(Arc::new(Mongo::connect(uri, database, bucket).await?)),
        }
    }
}

pub async fn simulated(body: impl AsyncFnOnce(Fixture)) {
    let bucket = "1h".parse::<crds::Duration>().unwrap().into();
    body(Fixture(Backend::Simulated(Model::new(bucket, Arc::new(System))))).await;
}

pub async fn embedded(body: impl AsyncFnOnce(Fixture)) {
    let directory = tempfile::tempdir().unwrap();
    body(Fixture(Backend::Embedded { directory: directory.path().to_owned(), open: Default::default() }))
        .await;
}

pub async fn mongo(test: &str, body: impl AsyncFnOnce(Fixture)) {
    let Ok(uri) = std::env::var("VT_TEST_MONGODB_URI") else {
        println!("left out: {test} on MongoDB, set VT_TEST_MONGODB_URI");
        return;
    };
    let database = format!("vt_{}_{:x}", std::process::id(), fastrand::u64(..));
    let server = mongodb::Client::with_uri_str(&uri).await.unwrap();
    let fixture = Fixture(Backend::Mongo { uri, database: database.clone() });
    let outcome = AssertUnwindSafe(body(fixture)).catch_unwind().await;
    server.database(&database).drop().await.unwrap();
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
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
    let message = message(id, reserved.first, nonce);
    assert_eq!(store.insert(&[Entry::Message(message.clone())]).await, Ok(vec![Inserted::New]));
    message
}

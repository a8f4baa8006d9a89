//! The store on MongoDB 6 or later, or a server that speaks its protocol.
//!
//! Only what such servers have in common is used: every step is one atomic document or can be repeated, so there
//! are no transactions and no sessions; indexes have names; times of leases are the server's (`$$NOW`). Every
//! call has a deadline and is repeated once by itself after a network error.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::Document;
use mongodb::options::{ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Collection, Database};

use super::bucket::BucketLength;
use super::{
    Around, Channel, ChannelStore, Head, Inserted, Lease, LeaseStore, LogStore, Reservation, Reserve, Store,
    StoreError, UserStore,
};
use crate::ids::{ChannelId, Position, UserId};
use crate::protocol::message::{Entry, Message, User};
use calls::{Calls, within};
use entry_rows::EntryRow;
use summary::Summary;

mod calls;
mod changes;
mod channels;
mod entries;
mod entry_rows;
mod failure;
mod groups;
mod history;
mod insert;
mod leases;
mod members;
mod prepare;
mod reactions;
mod reads;
mod retention;
mod rows;
mod summary;
mod users;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const SELECT_WITHIN: Duration = Duration::from_secs(4);
const CONNECTIONS: u32 = 64;

/// A [`Store`] in one database of a MongoDB-compatible server.
pub struct Mongo {
    database: Database,
    calls: Calls,
    bucket: BucketLength,
    summary: Summary,
}

impl Mongo {
    /// A store in `database` of the server that `uri` names. Does not connect before the first call.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the URI is not valid; the error does not show its credentials.
    pub async fn connect(uri: &str, database: &str, bucket: BucketLength) -> Result<Self, StoreError> {
        let invalid = |error: mongodb::error::Error| {
            let reason = without_credentials(&error.kind.to_string(), uri);
            StoreError::Refused(format!("its URI is not usable: {reason}"))
        };
        let mut options = ClientOptions::parse(uri).await.map_err(invalid)?;
        options.app_name.get_or_insert_with(|| "chat-node".to_owned());
        options.connect_timeout.get_or_insert(CONNECT_WITHIN);
        options.server_selection_timeout.get_or_insert(SELECT_WITHIN);
        let calls = Calls::new(*options.max_pool_size.get_or_insert(CONNECTIONS));
        options.write_concern = Some(WriteConcern::majority());
        options.read_concern = Some(ReadConcern::majority());
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        // Compatible servers take the driver's repetition for a second write; `call` repeats what may be.
        options.retry_writes = Some(false);
        options.retry_reads = Some(false);
        options.max_adaptive_retries = Some(0);
        let client = Client::with_options(options).map_err(invalid)?;
        Ok(Self { database: client.database(database), calls, bucket, summary: Summary::default() })
    }

    fn entries(&self) -> Collection<EntryRow> {
        self.database.collection("entries")
    }

    fn reactions(&self) -> Collection<Document> {
        self.database.collection("reactions")
    }

    fn groups(&self) -> Collection<groups::GroupRow> {
        self.database.collection("groups")
    }

    fn members(&self) -> Collection<members::MemberRow> {
        self.database.collection("members")
    }

    fn reads(&self) -> Collection<reads::ReadRow> {
        self.database.collection("reads")
    }

    fn buckets(&self) -> Collection<Document> {
        self.database.collection("buckets")
    }

    fn channels(&self) -> Collection<rows::ChannelRow> {
        self.database.collection("channels")
    }

    fn users(&self) -> Collection<rows::UserRow> {
        self.database.collection("users")
    }

    fn leases(&self) -> Collection<Document> {
        self.database.collection("leases")
    }

    fn schema(&self) -> Collection<Document> {
        self.database.collection("schema")
    }
}

impl fmt::Debug for Mongo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.database.name();
        f.debug_struct("Mongo")
            .field("database", &database)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// The reason with what stands between `//` and `@` in the URI taken out.
fn without_credentials(reason: &str, uri: &str) -> String {
    let credentials =
        uri.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(before, _)| before);
    let secrets =
        credentials.into_iter().flat_map(|both| [Some(both), both.split_once(':').map(|(_, word)| word)]);
    let hide =
        |reason: String, secret: &str| if secret.is_empty() { reason } else { reason.replace(secret, "…") };
    secrets.flatten().fold(reason.to_owned(), hide)
}

#[async_trait]
impl Store for Mongo {
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError> {
        prepare::prepare(self, official_name).await
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        leases::now_ms(self).await
    }
}

#[async_trait]
impl LeaseStore for Mongo {
    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
        leases::acquire(self, holder, ttl_ms).await
    }

    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError> {
        leases::renew(self, lease, ttl_ms, use_until_ms).await
    }

    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
        leases::release(self, lease, used_until_ms).await
    }
}

#[async_trait]
impl UserStore for Mongo {
    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        users::put(self, user).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        users::get(self, id).await
    }
}

#[async_trait]
impl ChannelStore for Mongo {
    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        channels::get(self, id).await
    }

    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Head)>, StoreError> {
        channels::heads(self, ids).await
    }

    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError> {
        channels::of_user(self, user).await
    }

    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        channels::open_direct(self, id, users).await
    }
}

#[async_trait]
impl LogStore for Mongo {
    async fn reserve(
        &self,
        channel: ChannelId,
        wanted: Reserve,
        now_ms: u64,
    ) -> Result<Reservation, StoreError> {
        channels::reserve(self, channel, wanted, now_ms).await
    }

    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        within(insert::insert(self, entries)).await
    }

    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError> {
        entries::find_nonce(self, channel, author, nonce).await
    }

    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        within(entries::after(self, channel, after, limit)).await
    }

    async fn history(
        &self,
        channel: ChannelId,
        around: Around,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError> {
        within(history::page(self, channel, around, limit)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(uri: &str) -> String {
        Mongo::connect(uri, "vibetalk", BucketLength::default()).await.unwrap_err().to_string()
    }

    /// A server that takes connections and never says a word.
    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_unavailable_within_the_deadline() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("mongodb://ada:s3cret@{}/", listener.local_addr().unwrap());
        let store = Mongo::connect(&uri, "vibetalk", BucketLength::default()).await.unwrap();
        let started = tokio::time::Instant::now();
        let error = store.now_ms().await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(reason) if !reason.contains("s3cret")), "{error}");
        assert!(started.elapsed() <= Duration::from_millis(5_100), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_with_the_reason() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let uri = format!("mongodb://{address}/?serverSelectionTimeoutMS=50");
        let store = Mongo::connect(&uri, "vibetalk", BucketLength::default()).await.unwrap();
        let error = store.prepare("Official").await.unwrap_err().to_string();
        assert!(error.contains("Connection refused") && error.len() < 200, "{error}");
    }

    #[tokio::test]
    async fn an_unusable_uri_is_refused_without_showing_its_password() {
        for uri in
            ["mongodb://ada:s3cret@", "mongodb://ada:s3c/ret@host", "postgres://ada:s3cret@host", "s3cret"]
        {
            let error = refused(uri).await;
            assert!(error.contains("its URI is not usable"), "{error}");
            assert!(!error.contains("s3c"), "{uri}: {error}");
        }
    }
}

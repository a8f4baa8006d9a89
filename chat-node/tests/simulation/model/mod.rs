//! A store in memory, as plain as the contract allows: one lock, one table for each thing, nothing that can fail. The
//! conformance suite of the stores runs on it too, so that what is shown with it holds for the others.

#[allow(clippy::unit_arg, reason = "calls that give nothing are written like the others")]
mod calls;
mod changes;
mod channels;
mod groups;
mod leases;
mod log;
mod reads;
mod retention;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_node::clock::Clock;
use chat_node::ids::{ChannelId, GroupId, MessageId, Position, UserId};
use chat_node::protocol::message::{Entry, User};
use chat_node::store::bucket::BucketLength;
use chat_node::store::layout::{Layout, VERSION};
use chat_node::store::{Inserted, StoreError};

pub use self::calls::Calls;
use self::changes::ReactionRows;
use self::channels::ChannelRow;
use self::groups::{GroupRow, Members};
use self::leases::LeaseRow;
use self::log::LogRows;

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Model {
    tables: Arc<Mutex<Tables>>,
    bucket: BucketLength,
}

/// What is stored.
#[derive(Debug)]
pub struct Tables {
    clock: Arc<dyn Clock>,
    layout: Option<Layout>,
    users: BTreeMap<UserId, User>,
    leases: BTreeMap<u16, LeaseRow>,
    groups: BTreeMap<GroupId, GroupRow>,
    /// Roles are written over whatever is there, as no store does.
    pub has_no_fences: bool,
    kept_roles: (u64, BTreeMap<GroupId, Members>),
    channels: BTreeMap<ChannelId, ChannelRow>,
    logs: BTreeMap<ChannelId, LogRows>,
    /// Where each entry that has an id is.
    ids: BTreeMap<MessageId, (ChannelId, Position)>,
    reactions: ReactionRows,
    reads: BTreeMap<(UserId, ChannelId), Position>,
}

/// Whether a call may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Reads,
    Writes,
}

/// A way to the tables.
pub trait Reach: std::fmt::Debug + Send + Sync {
    /// Does something with the tables, in one step.
    fn call<T: Send + 'static>(
        &self,
        call: (&'static str, Access),
        act: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Stores entries, perhaps in more than one step.
    fn insert(&self, entries: &[Entry]) -> impl Future<Output = Result<Vec<Inserted>, StoreError>> + Send;

    fn bucket(&self) -> BucketLength;
}

impl Model {
    pub fn new(bucket: BucketLength, clock: Arc<dyn Clock>) -> Self {
        let tables = Tables {
            clock,
            layout: None,
            users: BTreeMap::new(),
            leases: BTreeMap::new(),
            groups: BTreeMap::new(),
            has_no_fences: false,
            kept_roles: (0, BTreeMap::new()),
            channels: BTreeMap::new(),
            logs: BTreeMap::new(),
            ids: BTreeMap::new(),
            reactions: BTreeMap::new(),
            reads: BTreeMap::new(),
        };
        Self { tables: Arc::new(Mutex::new(tables)), bucket }
    }

    /// The same store with buckets of another length.
    #[allow(dead_code, reason = "only the conformance suite needs it")]
    pub fn with_bucket(&self, bucket: BucketLength) -> Self {
        Self { bucket, ..self.clone() }
    }

    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At once, and always.
impl Reach for Model {
    async fn call<T: Send + 'static>(
        &self,
        _: (&'static str, Access),
        act: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        act(&mut self.tables())
    }

    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        Ok(self.tables().insert(entries))
    }

    fn bucket(&self) -> BucketLength {
        self.bucket
    }
}

impl Tables {
    pub fn prepare(&mut self, official_name: &str, bucket: BucketLength) -> Result<(), StoreError> {
        let layout = Layout { version: VERSION, bucket_ms: bucket.as_millis() };
        self.layout.get_or_insert(layout).check(bucket)?;
        self.prepare_official(official_name);
        Ok(())
    }

    /// What the store's clock says.
    pub fn now_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    pub fn put_user(&mut self, user: &User) {
        self.users.insert(user.id.clone(), user.clone());
    }

    pub fn user(&self, id: &UserId) -> Option<User> {
        self.users.get(id).cloned()
    }
}

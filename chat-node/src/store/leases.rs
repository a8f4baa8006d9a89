//! Leases on server ids.

use async_trait::async_trait;

use super::StoreError;
use crate::ids::ServerId;

/// A lease on a server id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The leased number.
    pub server_id: ServerId,
    /// Grows with every new holder of the number; a holder with a smaller one has lost it.
    pub fence: u64,
    /// Ids of this number at or before this time (ms since the Unix epoch) may have been used by an earlier holder.
    pub used_until_ms: u64,
}

/// Who holds which server id.
#[async_trait]
pub trait LeaseStore {
    /// Leases a free or expired server id to `holder` for `ttl_ms` by the store's clock: the lowest one whose
    /// used ids all lie before that clock, so that the holder can issue at once. `holder` is for people to read.
    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError>;

    /// Prolongs a lease, and writes down that ids up to `use_until_ms` may be used (that time never falls).
    /// `false`: it is lost. A lease that expired and that nobody took is prolonged.
    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError>;

    /// Gives a lease back; ids up to `used_until_ms` were used. Nothing happens if it is lost.
    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError>;
}

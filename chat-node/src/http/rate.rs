//! How many requests one address and one user may make.

use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use super::address::ClientAddress;
use crate::error::{ErrorCode, Problem};
use crate::ids::UserId;
use crate::limits::{Buckets, Limits};

/// Counts requests.
#[derive(Debug)]
pub struct Rates {
    addresses: Mutex<Buckets<ClientAddress>>,
    users: Mutex<Buckets<UserId>>,
}

impl Rates {
    /// Nobody has asked for anything yet.
    pub fn new(limits: &Limits) -> Self {
        let (of_address, of_user) = (limits.requests_per_minute_address, limits.requests_per_minute_user);
        Self {
            addresses: Mutex::new(Buckets::per_minute(of_address, limits.rate_table)),
            users: Mutex::new(Buckets::per_minute(of_user, limits.rate_table)),
        }
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`].
    pub fn admit_address(&self, address: ClientAddress) -> Result<(), Problem> {
        admit(&self.addresses, address, "address")
    }

    /// Counts a request of a user.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`].
    pub fn admit_user(&self, user: &UserId) -> Result<(), Problem> {
        admit(&self.users, user.clone(), "user")
    }
}

fn admit<K: Hash + Eq>(buckets: &Mutex<Buckets<K>>, key: K, whose: &str) -> Result<(), Problem> {
    let now = tokio::time::Instant::now().into_std();
    // Never held across a panic, so a poisoned one holds a sound state.
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    buckets.take(key, now).map_err(|wait| {
        Problem::retry(ErrorCode::RateLimited, format!("too many requests of this {whose}"), wait)
    })
}

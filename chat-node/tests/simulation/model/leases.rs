//! Leases on server ids.

use chat_node::ids::ServerId;
use chat_node::store::{Lease, StoreError};

use super::Tables;

#[derive(Debug, Default)]
pub struct LeaseRow {
    pub holder: String,
    pub fence: u64,
    pub expires_ms: u64,
    pub used_until_ms: u64,
}

impl Tables {
    pub fn lease_acquire(&mut self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
        let now_ms = self.now_ms();
        for server_id in (0..ServerId::COUNT).filter_map(ServerId::new) {
            let row = self.leases.entry(server_id.get()).or_default();
            if row.expires_ms < now_ms && row.used_until_ms < now_ms {
                row.holder = holder.to_owned();
                row.fence += 1;
                row.expires_ms = now_ms + ttl_ms;
                return Ok(Lease { server_id, fence: row.fence, used_until_ms: row.used_until_ms });
            }
        }
        Err(StoreError::Refused("all server ids are leased".to_owned()))
    }

    pub fn lease_renew(&mut self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> bool {
        let expires_ms = self.now_ms() + ttl_ms;
        let row = self.leases.entry(lease.server_id.get()).or_default();
        let held = row.fence == lease.fence;
        if held {
            row.expires_ms = expires_ms;
            row.used_until_ms = row.used_until_ms.max(use_until_ms);
        }
        held
    }

    pub fn lease_release(&mut self, lease: &Lease, used_until_ms: u64) {
        let row = self.leases.entry(lease.server_id.get()).or_default();
        if row.fence == lease.fence {
            row.fence += 1;
            row.expires_ms = 0;
            row.used_until_ms = used_until_ms;
        }
    }

    /// Lets somebody else have a number that is held, as no store does.
    pub fn free_lease(&mut self, number: u16) {
        let fence = self.leases.get(&number).map_or(0, |row| row.fence);
        self.leases.insert(number, LeaseRow { fence, ..LeaseRow::default() });
    }
}

//! Leases on server ids.

use redb::{ReadableTable, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::fault::unreadable;
use super::tables::LEASES;
use crate::ids::ServerId;
use crate::store::{Lease, StoreError};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Row {
    holder: String,
    fence: u64,
    expires_ms: u64,
    used_until_ms: u64,
}

type Leases<'tx> = Table<'tx, u16, &'static [u8]>;

pub(super) fn acquire(
    tx: &WriteTransaction,
    holder: &str,
    now_ms: u64,
    ttl_ms: u64,
) -> Result<Lease, StoreError> {
    let mut table = tx.open_table(LEASES)?;
    for server_id in (0..ServerId::COUNT).filter_map(ServerId::new) {
        let row = read(&table, server_id)?;
        if row.expires_ms < now_ms && row.used_until_ms < now_ms {
            let lease = Lease { server_id, fence: row.fence + 1, used_until_ms: row.used_until_ms };
            let expires_ms = now_ms.saturating_add(ttl_ms);
            write(
                &mut table,
                server_id,
                &Row { holder: holder.to_owned(), fence: lease.fence, expires_ms, ..row },
            )?;
            return Ok(lease);
        }
    }
    Err(StoreError::none_free())
}

pub(super) fn renew(
    tx: &WriteTransaction,
    lease: &Lease,
    expires_ms: u64,
    use_until_ms: u64,
) -> Result<bool, StoreError> {
    let mut table = tx.open_table(LEASES)?;
    let row = read(&table, lease.server_id)?;
    let held = row.fence == lease.fence;
    if held {
        let used_until_ms = row.used_until_ms.max(use_until_ms);
        write(&mut table, lease.server_id, &Row { expires_ms, used_until_ms, ..row })?;
    }
    Ok(held)
}

pub(super) fn release(tx: &WriteTransaction, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
    let mut table = tx.open_table(LEASES)?;
    let row = read(&table, lease.server_id)?;
    if row.fence == lease.fence {
        write(
            &mut table,
            lease.server_id,
            &Row { expires_ms: 0, used_until_ms, fence: row.fence + 1, ..row },
        )?;
    }
    Ok(())
}

fn read(table: &Leases<'_>, server_id: ServerId) -> Result<Row, StoreError> {
    let Some(row) = table.get(server_id.get())? else { return Ok(Row::default()) };
    serde_json::from_slice(row.value()).map_err(|error| unreadable("a lease", &error))
}

fn write(table: &mut Leases<'_>, server_id: ServerId, row: &Row) -> Result<(), StoreError> {
    let row = serde_json::to_vec(row).map_err(|error| unreadable("a lease", &error))?;
    table.insert(server_id.get(), row.as_slice())?;
    Ok(())
}

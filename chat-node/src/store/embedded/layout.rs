//! The layout's version and the length of a bucket.

use redb::{ReadableTable, WriteTransaction};

use super::tables::{
    BUCKETS, CHANGES, CHANNELS, CHANNELS_OF, EDITS, ENTRIES, FORMER, FORMER_SINCE, GROUPS, GROUPS_OF, HEADS,
    IDS, LAYOUT, LEASES, MARKS, MEMBERS, MEMBERSHIPS, NONCES, PAIRS, PINS, REACTIONS, READS, TIMELINE, USERS,
};
use super::{channels, groups};
use crate::store::StoreError;
use crate::store::bucket::BucketLength;
use crate::store::layout::{Layout, VERSION};

pub(super) fn prepare(tx: &WriteTransaction, bucket: BucketLength, official: &str) -> Result<(), StoreError> {
    check_layout(tx, bucket)?;
    // Opened once, so that readers find them.
    tx.open_table(USERS)?;
    tx.open_table(LEASES)?;
    tx.open_table(CHANNELS)?;
    tx.open_table(HEADS)?;
    tx.open_table(MARKS)?;
    tx.open_table(PAIRS)?;
    tx.open_table(MEMBERSHIPS)?;
    tx.open_table(ENTRIES)?;
    tx.open_table(IDS)?;
    tx.open_table(CHANGES)?;
    tx.open_table(BUCKETS)?;
    tx.open_table(TIMELINE)?;
    tx.open_table(NONCES)?;
    tx.open_table(EDITS)?;
    tx.open_table(PINS)?;
    tx.open_table(REACTIONS)?;
    tx.open_table(GROUPS)?;
    tx.open_table(MEMBERS)?;
    tx.open_table(GROUPS_OF)?;
    tx.open_table(FORMER)?;
    tx.open_table(FORMER_SINCE)?;
    tx.open_table(CHANNELS_OF)?;
    tx.open_table(READS)?;
    groups::put_official(tx, official)?;
    channels::put_official(tx, official)
}

fn check_layout(tx: &WriteTransaction, bucket: BucketLength) -> Result<(), StoreError> {
    let mut table = tx.open_table(LAYOUT)?;
    let number = |name| Ok::<_, StoreError>(table.get(name)?.map(|value| value.value()));
    if let (Some(version), Some(bucket_ms)) = (number("version")?, number("bucket_ms")?) {
        return Layout { version, bucket_ms }.check(bucket);
    }
    table.insert("version", VERSION)?;
    table.insert("bucket_ms", bucket.as_millis())?;
    Ok(())
}

//! What a store says of its own layout, so that a node does not misread it.

use super::StoreError;
use super::bucket::BucketLength;

/// The layout that this version reads and writes.
pub const VERSION: u64 = 2;

/// A layout as written down in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Grows with every change that an older version cannot read.
    pub version: u64,
    /// Length of a bucket in ms.
    pub bucket_ms: u64,
}

impl Layout {
    /// Whether a node with buckets of this length may use the store.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with the difference.
    pub fn check(self, bucket: BucketLength) -> Result<(), StoreError> {
        if self.version != VERSION {
            let next = if self.version < VERSION {
                "there is no way to bring it over: use an empty database, or the chat node that made this one"
            } else {
                "run a newer chat node, or use another database"
            };
            return Err(StoreError::Refused(format!(
                "its layout has version {}, this chat node needs version {VERSION}; {next}",
                self.version
            )));
        }
        if self.bucket_ms != bucket.as_millis() {
            return Err(StoreError::Refused(format!(
                "its buckets are {} s long, the configuration says {bucket}; set the bucket back to {} s, or use another database",
                self.bucket_ms / 1_000,
                self.bucket_ms / 1_000
            )));
        }
        Ok(())
    }
}

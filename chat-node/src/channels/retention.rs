//! Retention: what is older than the cluster keeps goes, whole buckets at a time. Every node looks, slowly; what another
//! has taken already is simply not there.

use std::sync::Arc;
use std::time::Duration;

use super::Channels;
use crate::store::StoreError;
use crate::store::bucket::{Bucket, BucketLength};

/// Between two looks, before the jitter of half.
const PERIOD: Duration = Duration::from_secs(3_600);
/// Between two buckets, so that clients do not feel it.
const PAUSE: Duration = Duration::from_millis(100);
/// Buckets per look.
const PER_LOOK: u16 = 100;

/// How long messages are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// At least this long, in ms.
    pub keep_ms: u64,
    /// The length of a bucket, which goes as a whole.
    pub bucket: BucketLength,
}

impl Retention {
    /// The first bucket that stays.
    pub fn first_kept(&self, now_ms: u64) -> Bucket {
        Bucket(now_ms.saturating_sub(self.keep_ms) / self.bucket.as_millis())
    }
}

impl Channels {
    /// Forgets for ever.
    pub async fn keep_forgetting(self: Arc<Self>, retention: Retention) {
        loop {
            tokio::time::sleep(PERIOD.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            match self.forget(retention).await {
                Ok(0) => {}
                Ok(buckets) => tracing::info!(buckets, "old messages are gone"),
                Err(error) => tracing::warn!(%error, "old messages could not be removed; trying again later"),
            }
        }
    }

    /// Removes what is too old; gives how many buckets that were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget(&self, retention: Retention) -> Result<usize, StoreError> {
        let first_kept = retention.first_kept(self.store.now_ms().await?);
        let mut gone = 0;
        loop {
            let old = self.store.buckets_before(first_kept, PER_LOOK).await?;
            if old.is_empty() {
                return Ok(gone);
            }
            for (channel, bucket) in old {
                self.store.drop_bucket(channel, bucket).await?;
                gone += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stays_until_all_of_it_is_too_old() {
        let day = 86_400_000;
        let retention = Retention { keep_ms: 30 * day, bucket: BucketLength::from(crds::Duration::days(10)) };
        assert_eq!(retention.first_kept(45 * day), Bucket(1));
        assert_eq!(retention.first_kept(50 * day), Bucket(2));
        assert_eq!(retention.first_kept(0), Bucket(0));
    }
}

//! Time buckets: history is read, kept and exported bucket by bucket.

use std::fmt;

use crate::ids::MessageId;

/// The length of a bucket; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketLength(crds::Duration);

impl BucketLength {
    /// The length in ms, never 0.
    pub fn as_millis(self) -> u64 {
        self.0.as_millis()
    }
}

impl From<crds::Duration> for BucketLength {
    fn from(length: crds::Duration) -> Self {
        Self(length)
    }
}

impl Default for BucketLength {
    /// Ten days.
    fn default() -> Self {
        Self(crds::Duration::days(10))
    }
}

impl fmt::Display for BucketLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a bucket: whole bucket lengths from the Unix epoch to its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub u64);

impl Bucket {
    /// The bucket that a message is in.
    pub fn of(id: MessageId, length: BucketLength) -> Self {
        Self(id.timestamp_ms() / length.as_millis())
    }
}

/// Cuts a channel's non-empty buckets, nearest first, into the groups that are read at once: 1, 2, 4 … up to 16.
/// A busy channel has its page in the first bucket; a quiet one needs few reads for many nearly empty ones.
pub fn groups(nearest_first: &[Bucket]) -> impl Iterator<Item = &[Bucket]> {
    let mut rest = nearest_first;
    let mut size = 1;
    std::iter::from_fn(move || {
        let (group, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        size = (size * 2).min(16);
        (!group.is_empty()).then_some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::snowflake::EPOCH_MS;
    use proptest::prelude::*;

    const DAY_MS: u64 = 86_400_000;

    fn id_at(ms: u64) -> MessageId {
        MessageId((ms - EPOCH_MS) << 22)
    }

    #[test]
    fn buckets_start_at_multiples_of_their_length_since_the_unix_epoch() {
        let length = BucketLength::default();
        // 2025-01-01 is day 20,089; bucket 2,009 begins on day 20,090.
        assert_eq!(Bucket::of(id_at(EPOCH_MS), length), Bucket(2_008));
        assert_eq!(Bucket::of(id_at(EPOCH_MS + DAY_MS - 1), length), Bucket(2_008));
        assert_eq!(Bucket::of(id_at(EPOCH_MS + DAY_MS), length), Bucket(2_009));
    }

    #[test]
    fn groups_grow_and_cover_every_bucket_once() {
        let buckets: Vec<_> = (0..40).rev().map(Bucket).collect();
        let sizes: Vec<_> = groups(&buckets).map(<[_]>::len).collect();
        assert_eq!(sizes, [1, 2, 4, 8, 16, 9]);
        assert_eq!(groups(&buckets).flatten().copied().collect::<Vec<_>>(), buckets);
        assert_eq!(groups(&[]).count(), 0);
    }

    proptest! {
        #[test]
        fn a_message_is_in_the_one_bucket_whose_time_has_it(id in any::<u64>(), seconds in 1_u16..) {
            let (id, length) = (MessageId(id), BucketLength(crds::Duration::seconds(seconds)));
            let Bucket(bucket) = Bucket::of(id, length);
            let begin = bucket * length.as_millis();
            prop_assert!((begin..begin + length.as_millis()).contains(&id.timestamp_ms()));
        }

        #[test]
        fn later_messages_are_in_no_earlier_bucket(ids in any::<[u64; 2]>(), seconds in 1_u16..) {
            let length = BucketLength(crds::Duration::seconds(seconds));
            let [earlier, later] = [ids[0].min(ids[1]), ids[0].max(ids[1])].map(|id| Bucket::of(MessageId(id), length));
            prop_assert!(earlier <= later);
        }

        #[test]
        fn groups_cover_every_bucket_once_and_in_order_in_few_reads(count in 0_usize..600) {
            let buckets: Vec<_> = (0..count as u64).rev().map(Bucket).collect();
            prop_assert!(groups(&buckets).count() <= 5 + count / 16);
            prop_assert_eq!(groups(&buckets).flatten().copied().collect::<Vec<_>>(), buckets);
        }
    }
}

//! Which partition a routing key belongs to. Every node of a cluster must agree, whatever its version, so the function
//! never changes.

/// The partition of `key` among `partitions` (at least 1): FNV-1a (64 bit) of its bytes, its halves folded, modulo.
pub fn of_key(key: &str, partitions: u16) -> u16 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    // Less than 65,536, as `partitions` is.
    u16::try_from(folded % u64::from(partitions.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_stay_where_they_are() {
        let found = ["ada", "bob", "carol", "user-10000"].map(|key| of_key(key, 256));
        assert_eq!(found, [34, 77, 73, 122]);
        let found = ["1", "1234567890123456789"].map(|key| of_key(key, 256));
        assert_eq!(found, [176, 90]);
    }

    /// Users' ids, and channels' ids as a node makes them: ms in the upper bits, a counter in the lower ones.
    fn keys() -> [Vec<String>; 2] {
        let users = (0..10_000).map(|number| format!("user-{number}")).collect();
        let channels =
            (0..10_000_u64).map(|n| (((60_000_000_000 + n * 777) << 22) | (n % 3)).to_string()).collect();
        [users, channels]
    }

    #[test]
    fn keys_spread_evenly() {
        for keys in keys() {
            for partitions in [4_u16, 7, 16] {
                let mut counts = vec![0_u32; usize::from(partitions)];
                for key in &keys {
                    counts[usize::from(of_key(key, partitions))] += 1;
                }
                let fair = 10_000 / u32::from(partitions);
                assert!(counts.iter().all(|count| count.abs_diff(fair) < fair / 5), "{counts:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_key_has_a_partition_that_is_there(key in ".{0,80}", partitions in 1_u16..=256) {
            prop_assert!(of_key(&key, partitions) < partitions);
            prop_assert_eq!(of_key(&key, 1), 0);
        }
    }
}

//! Which partition a user belongs to. Every node of a cluster must agree, whatever its version, so the function
//! never changes.

use crate::ids::UserId;

/// The partition of `user` among `partitions` (at least 1): FNV-1a (64 bit), its halves folded, modulo.
pub fn of_user(user: &UserId, partitions: u16) -> u16 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in user.as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    // Less than 65,536, as `partitions` is.
    u16::try_from(folded % u64::from(partitions.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(user: &str, partitions: u16) -> u16 {
        of_user(&user.parse().unwrap(), partitions)
    }

    #[test]
    fn users_stay_where_they_are() {
        let found = ["ada", "bob", "carol", "user-10000"].map(|user| partition(user, 256));
        assert_eq!(found, [34, 77, 73, 122]);
    }

    #[test]
    fn users_spread_evenly() {
        for partitions in [4_u16, 7, 16] {
            let mut counts = vec![0_u32; usize::from(partitions)];
            for number in 0..10_000 {
                counts[usize::from(partition(&format!("user-{number}"), partitions))] += 1;
            }
            let fair = 10_000 / u32::from(partitions);
            assert!(counts.iter().all(|count| count.abs_diff(fair) < fair / 5), "{counts:?}");
        }
    }

    #[test]
    fn one_partition_takes_everyone() {
        assert_eq!(partition("ada", 1), 0);
    }
}

//! Ids that carry their time: 41 bit ms since [`EPOCH_MS`], 10 bit server id, 12 bit counter (after Twitter's
//! snowflake). The time is given, not read: a message has the one that was reserved with its position.

use std::collections::BTreeMap;

use super::{MessageId, ServerId};

/// 2025-01-01T00:00:00Z in ms since the Unix epoch.
pub const EPOCH_MS: u64 = 1_735_689_600_000;
/// The last ms that an id can carry, in the year 2094.
pub const LAST_MS: u64 = EPOCH_MS + (1 << 41) - 1;

const SERVER_BITS: u32 = 10;
const COUNTER_BITS: u32 = 12;
const PER_MS: u16 = 1 << COUNTER_BITS;

/// Why there is no id with this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Ids of this time may have been used before.
    #[error("the time is not after {floor_ms} ms, up to which ids may have been used")]
    Behind {
        /// Only later times are free.
        floor_ms: u64,
    },
    /// It is not yet written down that ids of this time are used.
    #[error("the time is after {ceiling_ms} ms, up to which the lease covers ids")]
    Ahead {
        /// Times up to here are covered.
        ceiling_ms: u64,
    },
    /// All 4,096 ids of this ms are used.
    #[error("all ids of this ms are used")]
    Exhausted,
}

/// Makes the ids of one holder of one server id; none comes twice.
#[derive(Debug)]
pub struct Snowflakes {
    server: ServerId,
    floor_ms: u64,
    ceiling_ms: u64,
    /// The next counter of every ms after the floor that was used. Times do not come in order: a channel that
    /// another clock pushed ahead hands out times which the others reach later.
    counters: BTreeMap<u64, u16>,
}

impl Snowflakes {
    /// Makes ids with times after `used_until_ms`; none before [`Self::allow_until`] has raised the ceiling.
    pub fn new(server: ServerId, used_until_ms: u64) -> Self {
        let floor_ms = used_until_ms.max(EPOCH_MS - 1);
        Self { server, floor_ms, ceiling_ms: floor_ms, counters: BTreeMap::new() }
    }

    /// Times after this one are free.
    pub fn floor_ms(&self) -> u64 {
        self.floor_ms
    }

    /// Allows times up to and with `ms`. The ceiling never falls.
    pub fn allow_until(&mut self, ms: u64) {
        self.ceiling_ms = self.ceiling_ms.max(ms.min(LAST_MS));
    }

    /// Gives up all times up to and with `ms`, to keep the list of used ones short.
    pub fn forget_until(&mut self, ms: u64) {
        if ms > self.floor_ms {
            self.floor_ms = ms;
            self.counters = self.counters.split_off(&(ms + 1));
        }
    }

    /// A new id with the time `ms`.
    ///
    /// # Errors
    /// [`Refusal`] if the time is used up, or not covered.
    pub fn take(&mut self, ms: u64) -> Result<u64, Refusal> {
        if ms <= self.floor_ms {
            return Err(Refusal::Behind { floor_ms: self.floor_ms });
        }
        if ms > self.ceiling_ms {
            return Err(Refusal::Ahead { ceiling_ms: self.ceiling_ms });
        }
        let counter = self.counters.entry(ms).or_default();
        if *counter == PER_MS {
            return Err(Refusal::Exhausted);
        }
        let id = compose(ms, self.server, *counter);
        *counter += 1;
        Ok(id)
    }

    /// The last time that was used; the floor if none was.
    pub fn used_until_ms(&self) -> u64 {
        self.counters.last_key_value().map_or(self.floor_ms, |(ms, _)| *ms)
    }
}

fn compose(ms: u64, server: ServerId, counter: u16) -> u64 {
    let since_epoch = ms - EPOCH_MS;
    since_epoch << (SERVER_BITS + COUNTER_BITS) | u64::from(server.get()) << COUNTER_BITS | u64::from(counter)
}

impl MessageId {
    /// The id's time in ms since the Unix epoch.
    pub fn timestamp_ms(self) -> u64 {
        (self.0 >> (SERVER_BITS + COUNTER_BITS)) + EPOCH_MS
    }

    /// Who made it.
    pub fn server_id(self) -> ServerId {
        let number = (self.0 >> COUNTER_BITS) as u16 & (ServerId::COUNT - 1);
        ServerId::new(number).unwrap_or(ServerId(0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = EPOCH_MS + 1_000_000;

    fn flakes(server: u16, used_until_ms: u64) -> Snowflakes {
        let mut flakes = Snowflakes::new(ServerId::new(server).unwrap(), used_until_ms);
        flakes.allow_until(NOW + 1_000_000);
        flakes
    }

    #[test]
    fn an_id_tells_its_time_and_its_server() {
        let id = MessageId(flakes(1023, NOW - 1).take(NOW).unwrap());
        assert_eq!((id.timestamp_ms(), id.server_id().get()), (NOW, 1023));
    }

    #[test]
    fn the_last_id_is_still_positive_for_a_signed_store() {
        let mut last = Snowflakes::new(ServerId::new(1023).unwrap(), LAST_MS - 1);
        last.allow_until(u64::MAX);
        for _ in 0..PER_MS {
            assert!(last.take(LAST_MS).unwrap() <= i64::MAX as u64);
        }
        assert!(matches!(last.take(LAST_MS + 1), Err(Refusal::Ahead { .. })));
    }

    #[test]
    fn nothing_is_issued_before_the_lease_covers_it() {
        let mut flakes = Snowflakes::new(ServerId::new(1).unwrap(), NOW);
        assert_eq!(flakes.take(NOW + 1), Err(Refusal::Ahead { ceiling_ms: NOW }));
        flakes.allow_until(NOW + 1);
        assert!(flakes.take(NOW + 1).is_ok());
    }

    #[test]
    fn times_of_an_earlier_holder_are_refused() {
        assert_eq!(flakes(1, NOW).take(NOW), Err(Refusal::Behind { floor_ms: NOW }));
    }

    #[test]
    fn the_4097th_id_of_a_millisecond_is_refused() {
        let mut flakes = flakes(1, NOW - 1);
        let ids: HashSet<_> = (0..PER_MS).map(|_| flakes.take(NOW).unwrap()).collect();
        assert_eq!(ids.len(), usize::from(PER_MS));
        assert_eq!(flakes.take(NOW), Err(Refusal::Exhausted));
    }

    proptest! {
        #[test]
        fn later_times_make_greater_ids(a in NOW..NOW + 5_000, b in NOW..NOW + 5_000, x in 0u16..1024, y in 0u16..1024) {
            prop_assume!(a < b);
            prop_assert!(flakes(x, NOW - 1).take(a).unwrap() < flakes(y, NOW - 1).take(b).unwrap());
        }

        /// Times come in any order, old ones are given up at any moment, and the number changes hands.
        #[test]
        fn no_id_of_a_server_comes_twice(steps in prop::collection::vec((0u8..20, 0u64..300), 1..400)) {
            let mut flakes = flakes(7, NOW);
            let mut seen = HashSet::new();
            for (kind, ms) in steps {
                match kind {
                    0 => flakes.forget_until(NOW + ms),
                    1 => {
                        let used = flakes.used_until_ms();
                        flakes = Snowflakes::new(ServerId::new(7).unwrap(), used);
                        flakes.allow_until(NOW + 1_000_000);
                    }
                    _ => if let Ok(id) = flakes.take(NOW + ms) {
                        prop_assert!(seen.insert(id));
                        prop_assert_eq!(MessageId(id).timestamp_ms(), NOW + ms);
                    }
                }
            }
        }
    }
}

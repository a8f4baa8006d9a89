//! What was measured of a crowd.

use serde::{Deserialize, Serialize};

/// What `chat-node/benches/connections` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Crowd {
    /// How many there are.
    pub connections: usize,
    /// How fast they were let in.
    pub connects_per_second: f64,
    /// The node's CPU time for each of them, in µs.
    pub connect_us: f64,
    /// The node's memory for each, idle, in KiB.
    pub resident_kib: f64,
    /// The kernel's memory for each, idle, in KiB.
    pub slab_kib: f64,
    /// The node's CPU time for a delivery of messages one by one, in µs.
    pub paced_us: f64,
    /// The CPU time of a bare `send()`, in µs.
    pub send_us: f64,
    /// From when a message to all was sent until the last one had it, in ms.
    pub to_all_ms: f64,
    /// The same of a message to two, in ms.
    pub to_two_ms: f64,
    /// How long a bare loop of `send()` to all takes until the last one has it, in ms.
    pub send_to_all_ms: f64,
    /// Deliveries a second of messages as fast as may be.
    pub coalesced_per_second: f64,
    /// The node's CPU time for each of these, in µs.
    pub coalesced_us: f64,
}

impl Crowd {
    /// From when a message was published until all had it, in ms: a message to two takes what it takes until then.
    pub fn published_ms(&self) -> f64 {
        self.to_all_ms - self.to_two_ms
    }
}

#[cfg(test)]
pub use tests::sample;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::study::{Part, Study};
    use crate::load::Surroundings;

    /// Two crowds, of which the larger one misses some goals.
    pub fn sample() -> Study<Crowd> {
        let crowd = |connections: usize, factor: f64| Crowd {
            connections,
            connects_per_second: 6_000.0,
            connect_us: 150.0,
            resident_kib: 3.5,
            slab_kib: 4.5,
            paced_us: 5.0 * factor,
            send_us: 4.5,
            to_all_ms: 60.0 * factor,
            to_two_ms: 2.0,
            send_to_all_ms: 45.0,
            coalesced_per_second: 1.4e6 / factor,
            coalesced_us: 0.7 * factor,
        };
        let part = |measured| Part { measured, foreign_percent: 1.0, steal_percent: 0.5 };
        let crowds = [crowd(1_000, 1.0), crowd(10_000, 1.5)];
        Study { surroundings: Surroundings::default(), parts: crowds.map(part).into() }
    }

    #[test]
    fn what_the_bench_prints_is_understood() {
        let text = r#"{"connections":2000,"connectsPerSecond":2500.5,"connectUs":380.0,"residentKib":4.1,"slabKib":5.0,
            "pacedUs":6.5,"sendUs":5.0,"toAllMs":15.0,"toTwoMs":2.5,"sendToAllMs":10.0,"coalescedPerSecond":1300000.0,
            "coalescedUs":0.75}"#;
        let crowd: Crowd = serde_json::from_str(text).unwrap();
        assert_eq!((crowd.connections, crowd.published_ms()), (2_000, 12.5));
    }
}

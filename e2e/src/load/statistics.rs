//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest time that is told from longer ones.
const LONGEST: Duration = Duration::from_secs(600);

/// Times from 1 µs to 10 minutes, each known to a thousandth of itself.
#[derive(Clone, Debug)]
pub struct Times {
    histogram: Histogram<u64>,
}

/// The times that this part of all stayed below, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantiles {
    /// How many times there are.
    pub count: u64,
    /// Half of all.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// All.
    pub max: f64,
}

/// The middle one of numbers, or between the two in the middle; `None` of none.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let (upper, lower) = (numbers.get(numbers.len() / 2)?, numbers[numbers.len().saturating_sub(1) / 2]);
    Some(f64::midpoint(*upper, lower))
}

impl Default for Times {
    fn default() -> Self {
        let bounded = Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, 3);
        #[expect(
            clippy::expect_used,
            reason = "the bounds are constants that the crate's documentation allows"
        )]
        let histogram = bounded.expect("bounds of a histogram");
        Self { histogram }
    }
}

impl Times {
    /// Notes a time.
    pub fn note(&mut self, time: Duration) {
        self.histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.histogram.clear();
    }

    /// What came of it.
    pub fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        if self.histogram.is_empty() {
            return Quantiles::default();
        }
        Quantiles {
            count: self.histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.histogram.max() as f64 / 1_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_times() {
        let mut times = Times::default();
        for ms in 1..=1_000 {
            times.note(Duration::from_millis(ms));
        }
        let quantiles = times.quantiles();
        let near = |found: f64, wanted: f64| (found - wanted).abs() <= wanted / 500.0;
        assert_eq!(quantiles.count, 1_000);
        assert!(near(quantiles.p50, 500.0) && near(quantiles.p90, 900.0), "{quantiles:?}");
        assert!(near(quantiles.p99, 990.0) && near(quantiles.p999, 999.0), "{quantiles:?}");
        assert!(near(quantiles.max, 1_000.0), "{quantiles:?}");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!((median([3.0, 1.0, 2.0]), median([])), (Some(2.0), None));
    }

    #[test]
    fn times_out_of_bounds_count_as_the_bounds_and_no_times_are_no_quantiles() {
        let mut times = Times::default();
        assert_eq!(times.quantiles(), Quantiles::default());
        times.note(Duration::ZERO);
        times.note(Duration::from_secs(100_000));
        let quantiles = times.quantiles();
        assert_eq!(quantiles.count, 2);
        assert!((599_000.0..601_000.0).contains(&quantiles.max), "{quantiles:?}");
        times.clear();
        assert_eq!(times.quantiles(), Quantiles::default());
    }
}

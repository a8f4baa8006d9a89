//! A number over several runs.

use std::fmt;

use crate::load::median;

/// The middle one of several numbers, and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

impl Figure {
    /// Of these numbers; `None` of none.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let numbers: Vec<f64> = numbers.into_iter().collect();
        let (least, most) =
            (numbers.iter().copied().reduce(f64::min)?, numbers.iter().copied().reduce(f64::max)?);
        Some(Self { median: median(numbers)?, least, most })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = self;
        let digits = f.precision().unwrap_or(if *median >= 100.0 { 0 } else { 2 });
        write!(f, "{median:.digits$}")?;
        if least < most { write!(f, " ({least:.digits$}–{most:.digits$})") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_in_the_middle_and_the_spread_around_it() {
        let odd = Figure::of([9.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Figure { median: 2.0, least: 1.0, most: 9.0 });
        assert_eq!(Figure::of([1.0, 2.0, 3.0, 10.0]).unwrap().median, 2.5);
        assert_eq!(Figure::of([]), None);
        assert_eq!(odd.to_string(), "2.00 (1.00–9.00)");
        assert_eq!(Figure::of([1_234.5]).unwrap().to_string(), "1234");
        assert_eq!(format!("{odd:.0}"), "2 (1–9)");
    }
}

//! How far a clock is from the right time, as profiles write it.

use std::fmt;
use std::str::FromStr;

use crds::Duration;
use serde::{Deserialize, Serialize};

/// Less is too near to what chat nodes tolerate.
const LEAST_S: u32 = 10;
/// Half as long as the tokens of users are good for.
const MOST_S: u32 = 12 * 3_600;

/// A duration with a sign: `-1h` is an hour late, `30s` or `+30s` half a minute early. From 10 s to 12 h either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Offset {
    length: Duration,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Early,
    Late,
}

/// The text is not an [`Offset`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an offset of a clock: write a duration, with `-` before it to go back; from 10s to 12h"
)]
pub struct InvalidOffset(String);

impl Offset {
    /// In seconds, negative if the clock is late.
    pub fn as_seconds(self) -> i64 {
        match self.side {
            Side::Early => i64::from(self.length.as_seconds()),
            Side::Late => -i64::from(self.length.as_seconds()),
        }
    }

    /// Whether a clock that was found to be off by `ms` has this offset rather than none or the opposite.
    pub fn explains(self, ms: i64) -> bool {
        let own = self.as_seconds() * 1_000;
        ms.abs_diff(own) < own.unsigned_abs() / 2
    }
}

impl FromStr for Offset {
    type Err = InvalidOffset;

    fn from_str(text: &str) -> Result<Self, InvalidOffset> {
        let (side, length) = match text.strip_prefix('-') {
            Some(rest) => (Side::Late, rest),
            None => (Side::Early, text.strip_prefix('+').unwrap_or(text)),
        };
        let invalid = || InvalidOffset(text.to_owned());
        let length: Duration = length.parse().map_err(|_| invalid())?;
        let is_within = (LEAST_S..=MOST_S).contains(&length.as_seconds());
        if is_within { Ok(Self { length, side }) } else { Err(invalid()) }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.side {
            Side::Early => "+",
            Side::Late => "-",
        };
        write!(f, "{sign}{}", self.length)
    }
}

impl TryFrom<String> for Offset {
    type Error = InvalidOffset;

    fn try_from(text: String) -> Result<Self, InvalidOffset> {
        text.parse()
    }
}

impl From<Offset> for String {
    fn from(offset: Offset) -> Self {
        offset.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_says_which_way_the_clock_is_off() {
        for (text, seconds, shown) in
            [("-1h", -3_600, "-1h"), ("90s", 90, "+1m30s"), ("+12h", 43_200, "+12h")]
        {
            let offset: Offset = text.parse().unwrap();
            assert_eq!((offset.as_seconds(), offset.to_string().as_str()), (seconds, shown));
        }
    }

    #[test]
    fn what_is_too_near_too_far_or_no_duration_is_refused() {
        for text in ["", "-", "0s", "9s", "-9s", "12h1s", "-13h", "--1h", "+-1h", "3600", "1h ago"] {
            assert!(text.parse::<Offset>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn an_offset_explains_what_is_nearer_to_it_than_to_the_right_time() {
        let late: Offset = "-1h".parse().unwrap();
        assert!(late.explains(-3_600_000) && late.explains(-3_590_000));
        assert!(!late.explains(0) && !late.explains(3_600_000) && !late.explains(-7_200_000));
    }
}

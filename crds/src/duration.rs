//! A length of time as users write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A positive length of time such as `10d`, `12h`, `90s` or `1h30m`: whole numbers with the units
/// `d`, `h`, `m`, `s`, greatest first. At most 5,000 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    seconds: u32,
}

/// The text is not a [`Duration`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a duration: write whole numbers with units, as in `10d`, `90s` or `1h30m`, at most 5000d"
)]
pub struct InvalidDuration(String);

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
const MAX_DAYS: u16 = 5_000;
const MAX_SECONDS: u64 = MAX_DAYS as u64 * 86_400;

impl Duration {
    /// What the schema says of the text form: nothing that is longer than a duration can be.
    pub const PATTERN: &str = "^([1-3]?[0-9]{1,3}d)?([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$";

    /// `days` whole days; 0 becomes one day, more than 5,000 days 5,000.
    pub fn days(days: u16) -> Self {
        Self { seconds: u32::from(days.clamp(1, MAX_DAYS)) * 86_400 }
    }

    /// `seconds` whole seconds; 0 becomes one second.
    pub fn seconds(seconds: u16) -> Self {
        Self { seconds: u32::from(seconds.max(1)) }
    }

    /// The length in whole seconds, never 0.
    pub fn as_seconds(self) -> u32 {
        self.seconds
    }

    /// The length in milliseconds, never 0.
    pub fn as_millis(self) -> u64 {
        u64::from(self.seconds) * 1_000
    }

    /// The same length for timers.
    pub fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.seconds.into())
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDuration(text.to_owned());
        let mut rest = text;
        let mut total = 0_u64;
        for (unit, seconds) in UNITS {
            let Some((digits, tail)) = rest.split_once(unit) else { continue };
            let count: u64 = digits.parse().map_err(|_| invalid())?;
            total =
                count.checked_mul(seconds).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
            rest = tail;
        }
        if !rest.is_empty() || total == 0 || total > MAX_SECONDS {
            return Err(invalid());
        }
        u32::try_from(total).map(|seconds| Self { seconds }).map_err(|_| invalid())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::from(self.seconds);
        for (unit, seconds) in UNITS {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Duration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

#[cfg(feature = "resource")]
impl schemars::JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 2, "maxLength": 32, "pattern": Self::PATTERN,
            "x-kubernetes-validations": [
                { "rule": "self.matches('[1-9]')", "message": "a duration must be longer than 0" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_add_up() {
        assert_eq!("1h30m".parse::<Duration>().unwrap().as_seconds(), 5_400);
        assert_eq!("10d".parse::<Duration>().unwrap(), Duration::days(10));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "0s", "10", "d", "5x", "-1s", "1m1h", "1.5h", "5001d", "1s "] {
            assert!(text.parse::<Duration>().is_err(), "{text:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn what_the_schema_lets_through_is_a_duration(
            text in proptest::string::string_regex(Duration::PATTERN.trim_matches(['^', '$'])).unwrap()
        ) {
            prop_assume!(text.contains(|digit: char| matches!(digit, '1'..='9')));
            prop_assert!(text.parse::<Duration>().is_ok(), "{}", text);
        }

        #[test]
        fn text_and_value_are_the_same_thing(seconds in 1_u32..=5_000 * 86_400) {
            let duration = Duration { seconds };
            prop_assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
        }
    }
}

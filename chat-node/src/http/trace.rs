//! The name of one request or connection in the logs of everything that it passed through, after W3C Trace Context.

use std::fmt;
use std::str::FromStr;

/// A trace id: 16 bytes, not all zero, shown as 32 small hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// The text is no `traceparent` of a known form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not `00-<32 hexadecimal digits>-<16>-<2>`")]
pub struct NotTraceparent;

impl TraceId {
    /// A name that most probably nobody else has.
    pub fn random() -> Self {
        Self(fastrand::u128(1..))
    }

    /// The trace id of a `traceparent` header, version 00; later versions begin alike and may say more (W3C Trace
    /// Context §3.2, §4.3).
    ///
    /// # Errors
    /// [`NotTraceparent`].
    pub fn of_traceparent(header: &str) -> Result<Self, NotTraceparent> {
        let mut fields = header.split('-');
        let mut field = |length: usize| {
            let is_hex = |field: &&str| field.len() == length && is_small_hex(field);
            fields.next().filter(is_hex).ok_or(NotTraceparent)
        };
        let version = field(2)?;
        let (trace, parent, _flags) = (field(32)?, field(16)?, field(2)?);
        let is_known = version != "ff" && (version != "00" || fields.next().is_none());
        if !is_known || parent.bytes().all(|digit| digit == b'0') {
            return Err(NotTraceparent);
        }
        trace.parse()
    }
}

impl FromStr for TraceId {
    type Err = NotTraceparent;

    fn from_str(text: &str) -> Result<Self, NotTraceparent> {
        let number = (text.len() == 32 && is_small_hex(text)).then(|| u128::from_str_radix(text, 16));
        number.and_then(Result::ok).filter(|number| *number != 0).map(Self).ok_or(NotTraceparent)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

fn is_small_hex(text: &str) -> bool {
    text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_well_formed_header_keeps_its_trace() {
        for header in
            [format!("00-{TRACE}-00f067aa0ba902b7-01"), format!("cc-{TRACE}-00f067aa0ba902b7-01-more")]
        {
            assert_eq!(TraceId::of_traceparent(&header).unwrap().to_string(), TRACE, "{header}");
        }
    }

    #[test]
    fn a_malformed_header_is_refused() {
        let zeros = "0".repeat(32);
        for header in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
        ] {
            assert_eq!(TraceId::of_traceparent(&header), Err(NotTraceparent), "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_trace_id_survives_the_way(number in 1..u128::MAX) {
            let header = format!("00-{}-00f067aa0ba902b7-00", TraceId(number));
            prop_assert_eq!(TraceId::of_traceparent(&header), Ok(TraceId(number)));
        }

        #[test]
        fn no_header_breaks_it(header in ".{0,80}") {
            let _ = TraceId::of_traceparent(&header);
        }
    }
}

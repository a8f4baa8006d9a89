//! What a client has seen, as one short text: for requests, which have no frame to say it in.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::ids::{ChannelId, InvalidId, Position};

/// Last seen position per channel; as text `1:17,99:3`, empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursors(pub BTreeMap<ChannelId, Position>);

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCursors {
    /// A part is not `channel:position`.
    #[error("`{0}` is not `channel:position`; cursors look like `1:17,99:3`")]
    Part(String),
    /// An id is none.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

impl fmt::Display for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (channel, position)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{channel}:{position}")?;
        }
        Ok(())
    }
}

impl FromStr for Cursors {
    type Err = InvalidCursors;

    fn from_str(text: &str) -> Result<Self, InvalidCursors> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(cursor).collect::<Result<_, _>>().map(Self)
    }
}

fn cursor(part: &str) -> Result<(ChannelId, Position), InvalidCursors> {
    let halves = part.split_once(':');
    let (channel, position) = halves.ok_or_else(|| InvalidCursors::Part(part.chars().take(32).collect()))?;
    Ok((channel.parse()?, position.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bad_cursors_are_named() {
        assert_eq!("".parse(), Ok(Cursors::default()));
        for text in ["1", "1:", ":1", "1:x", "-1:1", "1:2:3", "1;2"] {
            assert!(text.parse::<Cursors>().is_err(), "{text}");
        }
        assert!("nonsense".parse::<Cursors>().unwrap_err().to_string().contains("`nonsense`"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_them_and_what_is_read_is_written_alike(text in "[0-9:, x-]{0,60}|.{0,60}") {
            if let Ok(cursors) = text.parse::<Cursors>() {
                prop_assert_eq!(cursors.to_string().parse(), Ok(cursors));
            }
        }

        #[test]
        fn cursors_survive_as_text(cursors in prop::collection::btree_map(0..u64::MAX / 2, 0..u64::MAX / 2, 0..50)) {
            let cursors = Cursors(cursors.into_iter().map(|(c, p)| (ChannelId(c), Position(p))).collect());
            let text = cursors.to_string();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || b":,".contains(&byte)));
            prop_assert_eq!(text.parse(), Ok(cursors));
        }
    }
}

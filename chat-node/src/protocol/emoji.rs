//! What one reacts with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest emoji in bytes: room for the longest joined sequences of Unicode, and for `:names:`.
pub const EMOJI_BYTES: usize = 64;

/// A Unicode emoji or a `:name:`: 1 to [`EMOJI_BYTES`] bytes without spaces and control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 64)]
pub struct Emoji(String);

/// The text is no [`Emoji`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an emoji has 1 to {EMOJI_BYTES} bytes, no spaces and no control characters")]
pub struct InvalidEmoji;

impl Emoji {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Emoji {
    type Error = InvalidEmoji;

    fn try_from(text: String) -> Result<Self, InvalidEmoji> {
        let allowed = |letter: char| !letter.is_control() && !letter.is_whitespace();
        let fits = (1..=EMOJI_BYTES).contains(&text.len()) && text.chars().all(allowed);
        fits.then_some(Self(text)).ok_or(InvalidEmoji)
    }
}

impl FromStr for Emoji {
    type Err = InvalidEmoji;

    fn from_str(text: &str) -> Result<Self, InvalidEmoji> {
        text.to_owned().try_into()
    }
}

impl From<Emoji> for String {
    fn from(emoji: Emoji) -> Self {
        emoji.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_one_short_visible_word() {
        for text in ["👍", "👩‍👩‍👧‍👦", ":party_parrot:"] {
            assert_eq!(text.parse::<Emoji>().map(String::from), Ok(text.to_owned()));
        }
        for text in ["", " ", "a b", "a\n", &"x".repeat(65)] {
            assert_eq!(text.parse::<Emoji>(), Err(InvalidEmoji), "{text:?}");
        }
    }
}

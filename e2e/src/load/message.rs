//! The messages of a run: what a message says and the key it has follow from its number, so that whoever gets it knows
//! what it must be.

use std::fmt::Write as _;

/// Numbers the messages of a run, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(pub u32);

/// Tells runs apart: two on one service do not take each other's messages for their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    name: String,
    content_bytes: usize,
}

const WORDS: &str =
    "the quick brown fox jumps over the lazy dog while it rains in the small town by the sea ";

impl Run {
    /// A run of this name (letters and digits) with messages of this length.
    pub fn new(name: String, content_bytes: u16) -> Self {
        Self { name, content_bytes: content_bytes.into() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of a user.
    pub fn user(&self, number: u32) -> String {
        format!("load-{}-{number}", self.name)
    }

    /// The user that has this id; `None` if it is none of this run.
    pub fn user_number(&self, id: &str) -> Option<u32> {
        id.strip_prefix("load-")?.strip_prefix(&self.name)?.strip_prefix('-')?.parse().ok()
    }

    /// The nonce of a message.
    pub fn nonce(&self, MessageNumber(number): MessageNumber) -> String {
        format!("{}-{number}", self.name)
    }

    /// The message that has this nonce; `None` if it is not of this run.
    pub fn number(&self, nonce: &str) -> Option<MessageNumber> {
        let number = nonce.strip_prefix(&self.name)?.strip_prefix('-')?;
        number.parse().ok().map(MessageNumber)
    }

    /// What a message says.
    pub fn content(&self, MessageNumber(number): MessageNumber) -> String {
        let mut content = String::with_capacity(self.content_bytes + WORDS.len());
        // Writing to a string cannot fail.
        let _ = write!(content, "{number}: ");
        while content.len() < self.content_bytes {
            content.push_str(WORDS);
        }
        content.truncate(self.content_bytes);
        // Nothing that a server might trim.
        content.pop();
        content.push('.');
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_nonce_and_has_the_wanted_length() {
        let run = Run::new("ab12".to_owned(), 200);
        let nonce = run.nonce(MessageNumber(17));
        assert_eq!(run.number(&nonce), Some(MessageNumber(17)));
        assert_eq!(run.user_number(&run.user(5)), Some(5));
        assert_eq!(run.user_number("load-ab13-5"), None);
        assert_eq!(run.number("ab13-17"), None);
        assert_eq!(run.number("ab12-x"), None);
        assert_eq!(run.content(MessageNumber(u32::MAX)).len(), 200);
        assert_ne!(run.content(MessageNumber(1)), run.content(MessageNumber(2)));
    }
}

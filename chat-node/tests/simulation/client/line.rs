//! The order of what a client says over one connection.

use std::collections::BTreeMap;

use chat_node::ids::{ChannelId, Position};

/// What was said for the first time over one connection, and where it is stored.
#[derive(Debug, Default)]
pub struct Line {
    said: Vec<String>,
    stored: BTreeMap<(ChannelId, usize), Position>,
}

impl Line {
    pub fn says(&mut self, nonce: &str) {
        self.said.push(nonce.to_owned());
    }

    /// It is said again, here or elsewhere, so its place says nothing any more.
    pub fn repeats(&mut self, nonce: &str) {
        if let Some(said) = self.said.iter_mut().find(|said| *said == nonce) {
            said.clear();
        }
    }

    /// It is stored. Says what is wrong with its place.
    pub fn stored(&mut self, (channel, nonce): (ChannelId, &str), position: Position) -> Result<(), String> {
        let Some(place) = self.said.iter().position(|said| said == nonce) else { return Ok(()) };
        let mut before = self.stored.range((channel, 0)..(channel, place));
        let earlier = before.next_back().map_or(Position(0), |(_, position)| *position);
        let mut after = self.stored.range((channel, place + 1)..(channel, usize::MAX));
        let later = after.next().map_or(Position(u64::MAX), |(_, position)| *position);
        self.stored.insert((channel, place), position);
        if earlier < position && position < later {
            return Ok(());
        }
        Err(format!(
            "{nonce} is at {position}, but what it said before is at {earlier}, and after at {later}"
        ))
    }
}

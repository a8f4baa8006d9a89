//! Compares what was acknowledged, what is stored and what arrived: all three are the same, in the same order.

use std::collections::{BTreeMap, HashMap};

use super::crowd::Said;
use crate::client::Message;
use crate::test::stored::Stored;

/// What a user got of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The user.
    pub who: &'a str,
    /// In the order of arrival.
    pub messages: &'a [Message],
}

/// What is wrong with one channel, the earliest first; nothing if all is well. `said` holds its acknowledged messages in any order, `stored`
/// what is in the store in the order of positions.
pub fn judge(said: &[Said], stored: &[Stored], heard: &[Heard<'_>]) -> Vec<String> {
    let mut wrong = acknowledged(said, stored);
    wrong.extend(unasked(said, stored));
    wrong.extend(heard.iter().filter_map(|heard| arrived(said, stored, heard)));
    wrong.sort();
    wrong.into_iter().map(|(_, text)| text).collect()
}

/// With the position at which it shows.
type Wrong = (i64, String);

/// Every acknowledged message is in the store as it was acknowledged.
fn acknowledged(said: &[Said], stored: &[Stored]) -> Vec<Wrong> {
    let by_id: HashMap<String, &Stored> =
        stored.iter().map(|message| (message.id.to_string(), message)).collect();
    let missing = |said: &&Said| {
        let found = by_id.get(&said.ack.id);
        !found.is_some_and(|found| {
            found.position.to_string() == said.ack.position.to_string() && found.content == said.content
        })
    };
    let wrong = |said: &Said| {
        let position = i64::try_from(said.ack.position).unwrap_or(i64::MAX);
        let found = by_id.get(&said.ack.id);
        (position, format!("{} is acknowledged and not in the store so; there: {found:?}", path(said)))
    };
    said.iter().filter(missing).map(wrong).collect()
}

/// Nothing is stored twice, or without an ack: whoever said it asked until there was one.
fn unasked(said: &[Said], stored: &[Stored]) -> Vec<Wrong> {
    let acked: BTreeMap<&str, &Said> = said.iter().map(|said| (said.content.as_str(), said)).collect();
    let mut wrong = Vec::new();
    for message in stored {
        let known = acked.get(message.content.as_str());
        if known.is_none_or(|said| said.ack.id != message.id.to_string()) {
            let ack = known.map_or("none".to_owned(), |said| path(said));
            let text = format!("{message:?} is stored beside what was acknowledged ({ack})");
            wrong.push((message.position, text));
        }
    }
    wrong
}

/// The first difference between what is stored and what arrived.
fn arrived(said: &[Said], stored: &[Stored], heard: &Heard<'_>) -> Option<Wrong> {
    let expected = stored.iter().map(|message| (message.id.to_string(), message.position, &message.content));
    let arrived = heard.messages.iter();
    let mut arrived = arrived.map(|message| (&message.id, &message.position, &message.content));
    for (id, position, content) in expected {
        let next = arrived.next();
        let same = next.is_some_and(|(next_id, next_position, next_content)| {
            *next_id == id && *next_position == position.to_string() && next_content == content
        });
        if !same {
            let sent = said.iter().find(|said| said.ack.id == id).map(path);
            let sent = sent.unwrap_or_else(|| format!("{content:?}, which nobody got an ack for"));
            let who = heard.who;
            return Some((position, format!("{who} was due message {id}, {sent}, and got {next:?}")));
        }
    }
    let more = arrived.next()?;
    Some((i64::MAX, format!("{} got {more:?}, which is not in the store", heard.who)))
}

/// Where a message was sent and what was answered.
fn path(said: &Said) -> String {
    let Said { channel, author, content, ack, at_ms } = said;
    format!(
        "{content:?} of {author} in channel {channel} (answered at {at_ms} ms: id {}, position {})",
        ack.id, ack.position
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Ack, Author};

    fn said(position: u64) -> Said {
        let ack = Ack { id: (position * 10).to_string(), position };
        let (channel, author) = ("1".to_owned(), "ada".to_owned());
        Said { channel, author, content: format!("says {position}"), ack, at_ms: 0 }
    }

    fn stored(position: i64) -> Stored {
        Stored { id: position * 10, bucket: 0, position, content: format!("says {position}") }
    }

    fn message(position: u64) -> Message {
        Message {
            id: (position * 10).to_string(),
            channel_id: "1".to_owned(),
            position: position.to_string(),
            author: Author { id: "ada".to_owned(), name: "Ada".to_owned() },
            content: format!("says {position}"),
            nonce: "n".to_owned(),
            timestamp_ms: 0,
        }
    }

    fn verdict(said: &[Said], stored: &[Stored], messages: &[Message]) -> Vec<String> {
        judge(said, stored, &[Heard { who: "bob", messages }])
    }

    #[test]
    fn what_is_acknowledged_stored_and_heard_alike_is_right() {
        let wrong = verdict(
            &[said(2), said(1), said(4)],
            &[stored(1), stored(2), stored(4)],
            &[message(1), message(2), message(4)],
        );
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_lost_a_doubled_a_swapped_and_an_invented_message_are_found() {
        let (all, kept) = ([said(1), said(2)], [stored(1), stored(2)]);
        for heard in [
            vec![message(1)],
            vec![message(1), message(1), message(2)],
            vec![message(2), message(1)],
            vec![message(1), message(2), message(3)],
        ] {
            assert_eq!(verdict(&all, &kept, &heard).len(), 1, "{heard:?}");
        }
    }

    #[test]
    fn an_ack_without_a_stored_message_and_a_message_stored_twice_are_found() {
        let lost = verdict(&[said(1), said(2)], &[stored(1)], &[message(1)]);
        assert!(lost.len() == 1 && lost[0].contains("not in the store so"), "{lost:?}");
        let twin = Stored { id: 21, position: 3, ..stored(2) };
        let mut copy = message(3);
        (copy.id, copy.content) = ("21".to_owned(), "says 2".to_owned());
        let twice =
            verdict(&[said(1), said(2)], &[stored(1), stored(2), twin], &[message(1), message(2), copy]);
        assert!(twice.len() == 1 && twice[0].contains("beside what was acknowledged"), "{twice:?}");
    }

    #[test]
    fn the_earliest_is_named_first() {
        let wrong = verdict(&[said(1), said(2), said(3)], &[stored(1), stored(3)], &[message(1)]);
        assert!(wrong[0].contains("position 2") && wrong.len() == 2, "{wrong:?}");
    }
}

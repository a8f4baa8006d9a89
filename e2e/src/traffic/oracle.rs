//! Compares what was acknowledged, what is stored and what arrived: all three are the same, in the same order.

use std::collections::{BTreeMap, HashMap};

use crate::client::{Ack, Arrival};

/// What was said and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where.
    pub channel: String,
    /// By whom.
    pub author: String,
    /// The server that answered.
    pub server: u16,
    /// The text, which nobody says twice.
    pub content: String,
    /// The answer.
    pub ack: Ack,
    /// When it came, in ms since 1970.
    pub at_ms: u64,
}

/// A message as the service keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// Its position in the channel.
    pub position: u64,
    /// The text.
    pub content: String,
}

/// What a user got of a channel.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The user.
    pub who: String,
    /// In their order.
    pub arrivals: Vec<Arrival>,
}

/// What is wrong with one channel, the earliest first; nothing if all is well. `said` holds its acknowledged messages in
/// any order, `kept` what the service keeps in the order of positions.
pub fn judge(said: &[Said], kept: &[Kept], heard: &[Heard]) -> Vec<String> {
    let mut wrong = acknowledged(said, kept);
    wrong.extend(unasked(said, kept));
    wrong.extend(heard.iter().filter_map(|heard| arrived(said, kept, heard)));
    wrong.sort();
    wrong.into_iter().map(|(_, text)| text).collect()
}

/// With the position at which it shows.
type Wrong = (u64, String);

/// Every acknowledged message is kept as it was acknowledged.
fn acknowledged(said: &[Said], kept: &[Kept]) -> Vec<Wrong> {
    let by_id: HashMap<&str, &Kept> = kept.iter().map(|message| (message.id.as_str(), message)).collect();
    let wrong = |said: &Said| {
        let found = by_id.get(said.ack.id.as_str());
        let same = |found: &&Kept| found.position == said.ack.position && found.content == said.content;
        if found.is_some_and(same) {
            return None;
        }
        let text = format!("{} is acknowledged and not kept so; kept is {found:?}", path(said));
        Some((said.ack.position, text))
    };
    said.iter().filter_map(wrong).collect()
}

/// Nothing is kept twice, or without an ack: whoever said it asked until there was one.
fn unasked(said: &[Said], kept: &[Kept]) -> Vec<Wrong> {
    let acked: BTreeMap<&str, &Said> = said.iter().map(|said| (said.content.as_str(), said)).collect();
    let mut wrong = Vec::new();
    for message in kept {
        let known = acked.get(message.content.as_str());
        if known.is_none_or(|said| said.ack.id != message.id) {
            let ack = known.map_or("none".to_owned(), |said| path(said));
            let text = format!("{message:?} is kept beside what was acknowledged ({ack})");
            wrong.push((message.position, text));
        }
    }
    wrong
}

/// The first difference between what is kept and what arrived.
fn arrived(said: &[Said], kept: &[Kept], heard: &Heard) -> Option<Wrong> {
    let who = &heard.who;
    let mut arrivals = heard.arrivals.iter();
    let mut before = None;
    for due in kept {
        let next = arrivals.next();
        let same = next.is_some_and(|arrival| {
            let Arrival { message, .. } = arrival;
            message.id == due.id
                && message.position == due.position.to_string()
                && message.content == due.content
        });
        if !same {
            let sent = said.iter().find(|said| said.ack.id == due.id).map(path);
            let sent = sent.unwrap_or_else(|| format!("{due:?}, which nobody got an ack for"));
            return Some((due.position, format!("{who} was due {sent}, and got {next:?} after {before:?}")));
        }
        before = next;
    }
    let more = arrivals.next()?;
    Some((u64::MAX, format!("{who} got {more:?}, which is not kept")))
}

/// Where a message was sent and what was answered.
fn path(said: &Said) -> String {
    let Said { channel, author, server, content, ack, at_ms } = said;
    format!(
        "{content:?} of {author} in channel {channel} (answered by server {server} at {at_ms} ms: id {}, position {})",
        ack.id, ack.position
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Author, Message};

    fn said(position: u64) -> Said {
        let ack = Ack { id: (position * 10).to_string(), position };
        let (channel, author) = ("1".to_owned(), "ada".to_owned());
        Said { channel, author, server: 7, content: format!("says {position}"), ack, at_ms: 0 }
    }

    fn kept(position: u64) -> Kept {
        Kept { id: (position * 10).to_string(), position, content: format!("says {position}") }
    }

    fn arrival(position: u64) -> Arrival {
        let message = Message {
            id: (position * 10).to_string(),
            channel_id: "1".to_owned(),
            position: position.to_string(),
            author: Author { id: "ada".to_owned(), name: "Ada".to_owned() },
            content: format!("says {position}"),
            nonce: "n".to_owned(),
            timestamp_ms: 0,
        };
        Arrival { message, server: 8, at_ms: 0 }
    }

    fn verdict(said: &[Said], kept: &[Kept], arrivals: &[Arrival]) -> Vec<String> {
        judge(said, kept, &[Heard { who: "bob".to_owned(), arrivals: arrivals.to_vec() }])
    }

    #[test]
    fn what_is_acknowledged_stored_and_heard_alike_is_right() {
        let wrong = verdict(
            &[said(2), said(1), said(4)],
            &[kept(1), kept(2), kept(4)],
            &[arrival(1), arrival(2), arrival(4)],
        );
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_lost_a_doubled_a_swapped_and_an_invented_message_are_found() {
        let (all, both) = ([said(1), said(2)], [kept(1), kept(2)]);
        for heard in [
            vec![arrival(1)],
            vec![arrival(1), arrival(1), arrival(2)],
            vec![arrival(2), arrival(1)],
            vec![arrival(1), arrival(2), arrival(3)],
        ] {
            assert_eq!(verdict(&all, &both, &heard).len(), 1, "{heard:?}");
        }
    }

    #[test]
    fn an_ack_without_a_stored_message_and_a_message_stored_twice_are_found() {
        let lost = verdict(&[said(1), said(2)], &[kept(1)], &[arrival(1)]);
        assert!(lost.len() == 1 && lost[0].contains("not kept so"), "{lost:?}");
        let twin = Kept { id: "21".to_owned(), position: 3, ..kept(2) };
        let mut copy = arrival(3);
        (copy.message.id, copy.message.content) = ("21".to_owned(), "says 2".to_owned());
        let twice = verdict(&[said(1), said(2)], &[kept(1), kept(2), twin], &[arrival(1), arrival(2), copy]);
        assert!(twice.len() == 1 && twice[0].contains("beside what was acknowledged"), "{twice:?}");
    }

    #[test]
    fn the_earliest_is_named_first() {
        let wrong = verdict(&[said(1), said(2), said(3)], &[kept(1), kept(3)], &[arrival(1)]);
        assert!(wrong[0].contains("position 2") && wrong.len() == 2, "{wrong:?}");
    }
}

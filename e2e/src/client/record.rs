//! What a client saw, and whether it was right: each channel's positions are 1, 2, 3 … and its ids grow.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Result, bail};

use super::Ack;
use super::frame::{Channel, Event, Message};
use super::now_ms;

/// Faults kept; more say nothing new.
const MAX_FAULTS: usize = 20;

/// What a client saw since it first signed in.
#[derive(Debug, Default)]
pub struct Record {
    /// The server of each connection so far, in order.
    pub servers: Vec<u16>,
    /// When each of these connections was ready, in ms since 1970.
    pub ready_ms: Vec<u64>,
    /// How often a server asked the client to reconnect.
    pub asked_to_reconnect: usize,
    /// Why connections ended that nobody had asked to end.
    pub broken: Vec<String>,
    /// What servers refused: code and message.
    pub refused: Vec<String>,
    /// What must not happen.
    pub faults: Vec<String>,
    connected: bool,
    channels: BTreeMap<String, Log>,
    acks: HashMap<String, Ack>,
}

/// One channel's events since the first sign-in.
#[derive(Debug, Default)]
struct Log {
    last: u64,
    last_id: u64,
    messages: Vec<Message>,
    /// When and from where each of these came.
    arrived: Vec<(u64, u16)>,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// It.
    pub message: Message,
    /// The server that it came from.
    pub server: u16,
    /// When, in ms since 1970.
    pub at_ms: u64,
}

impl Record {
    /// The server that the client is connected to now.
    pub fn server(&self) -> Option<u16> {
        if self.connected { self.servers.last().copied() } else { None }
    }

    /// The messages of a channel, in the order in which they came.
    pub fn arrivals(&self, channel: &str) -> Vec<Arrival> {
        let Some(log) = self.channels.get(channel) else { return Vec::new() };
        let arrived = log.messages.iter().cloned().zip(&log.arrived);
        arrived
            .map(|(message, (at_ms, server))| Arrival { message, server: *server, at_ms: *at_ms })
            .collect()
    }

    /// Whether the client knows of a channel.
    pub fn follows(&self, channel: &str) -> bool {
        self.channels.contains_key(channel)
    }

    /// How many messages arrived, in all channels.
    pub fn deliveries(&self) -> usize {
        self.channels.values().map(|log| log.messages.len()).sum()
    }

    /// The longest time from the storing of a message to its arrival, among those that arrived after `since_ms`.
    pub fn slowest_since(&self, since_ms: u64) -> Duration {
        let arrivals = self.channels.values().flat_map(|log| log.arrived.iter().zip(&log.messages).rev());
        let recent = arrivals.filter(|((at, _), _)| *at >= since_ms);
        let lags = recent.map(|((at, _), message)| at.saturating_sub(message.timestamp_ms));
        Duration::from_millis(lags.max().unwrap_or_default())
    }

    /// The last position of a channel.
    pub fn position(&self, channel: &str) -> u64 {
        self.channels.get(channel).map_or(0, |log| log.last)
    }

    /// The first message with this text.
    pub fn message(&self, content: &str) -> Option<&Message> {
        self.channels.values().flat_map(|log| &log.messages).find(|message| message.content == content)
    }

    /// The last seen position of every channel, as `identify` wants it.
    pub fn cursors(&self) -> BTreeMap<&str, String> {
        self.channels.iter().map(|(id, log)| (id.as_str(), log.last.to_string())).collect()
    }

    /// An error that lists the faults, if there are any.
    pub fn check(&self) -> Result<()> {
        if self.faults.is_empty() {
            return Ok(());
        }
        bail!("the client saw what must not happen: {}", self.faults.join("; "))
    }

    /// A few words for an error message.
    pub fn summary(&self) -> String {
        let last = |list: &[String]| list.last().cloned().unwrap_or_else(|| "none".to_owned());
        format!(
            "servers so far {:?}, {} now; asked to reconnect {} times; last broken connection: {}; last refusal: {}; \
             positions {:?}",
            self.servers,
            if self.connected { "connected" } else { "not connected" },
            self.asked_to_reconnect,
            last(&self.broken),
            last(&self.refused),
            self.cursors(),
        )
    }

    /// The client is signed in. A channel that it did not know starts at its head.
    pub fn ready(&mut self, server: u16, channels: Vec<Channel>) {
        self.connected = true;
        self.servers.push(server);
        self.ready_ms.push(now_ms());
        for channel in channels {
            self.open(channel);
        }
    }

    /// The connection ended.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// A message of the client's own was stored.
    pub fn ack(&mut self, nonce: &str, ack: &Ack) {
        match self.acks.get(nonce) {
            Some(known) if known != ack => {
                self.fault(format!("nonce {nonce} got two acks: {known:?} and {ack:?}"));
            }
            _ => {
                self.acks.insert(nonce.to_owned(), ack.clone());
            }
        }
    }

    /// Something happened in a channel.
    pub fn event(&mut self, event: Event) {
        match event {
            Event::ChannelCreate { channel } => self.open(channel),
            Event::Void { channel_id, position } => {
                self.advance(&channel_id, &position);
            }
            Event::MessageCreate { message } => self.message_created(message),
        }
    }

    /// The server says where channels end that it has sent to the end.
    pub fn heads(&mut self, heads: &BTreeMap<String, String>) {
        for (channel, head) in heads {
            let (head, seen) = (head.parse::<u64>().unwrap_or(u64::MAX), self.position(channel));
            if self.follows(channel) && seen < head {
                self.fault(format!("channel {channel}: sent up to {head}, it is said, and {seen} came"));
            }
        }
    }

    fn open(&mut self, channel: Channel) {
        let last = channel.head.parse().unwrap_or(0);
        self.channels.entry(channel.id).or_insert_with(|| Log { last, ..Log::default() });
    }

    fn message_created(&mut self, message: Message) {
        let channel = message.channel_id.clone();
        if !self.advance(&channel, &message.position) {
            return;
        }
        let known = self.acks.get(&message.nonce);
        if known.is_some_and(|ack| ack.id != message.id || ack.position.to_string() != message.position) {
            self.fault(format!("message {} is not where its ack said", message.id));
        }
        let id = message.id.parse().unwrap_or(0);
        let server = self.servers.last().copied().unwrap_or_default();
        let Some(log) = self.channels.get_mut(&channel) else { return };
        let before = std::mem::replace(&mut log.last_id, id);
        log.messages.push(message);
        log.arrived.push((now_ms(), server));
        if id <= before {
            self.fault(format!("id {id} of channel {channel} came after id {before}"));
        }
    }

    /// Takes the next position of a channel; `false` if it is not the next one.
    fn advance(&mut self, channel: &str, position: &str) -> bool {
        let Ok(position) = position.parse::<u64>() else {
            self.fault(format!("`{position}` is no position"));
            return false;
        };
        let log = self.channels.entry(channel.to_owned()).or_default();
        let expected = log.last + 1;
        if position >= expected {
            log.last = position;
        }
        if position > expected {
            self.fault(format!(
                "channel {channel}: position {position} came where {expected} was due: a hole"
            ));
        } else if position < expected {
            self.fault(format!("channel {channel}: position {position} came again after {}", expected - 1));
        }
        position >= expected
    }

    fn fault(&mut self, text: String) {
        if self.faults.len() < MAX_FAULTS {
            let server = self.servers.last().copied().unwrap_or_default();
            self.faults.push(format!("{text} (from server {server} at {} ms)", now_ms()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Author;
    use super::*;

    fn message(position: u64, id: u64) -> Event {
        Event::MessageCreate {
            message: Message {
                id: id.to_string(),
                channel_id: "1".to_owned(),
                position: position.to_string(),
                author: Author { id: "ada".to_owned(), name: "Ada".to_owned() },
                content: format!("message {position}"),
                nonce: format!("n-{position}"),
                timestamp_ms: 0,
            },
        }
    }

    fn signed_in(head: u64) -> Record {
        let mut record = Record::default();
        record.ready(7, vec![Channel { id: "1".to_owned(), head: head.to_string() }]);
        record
    }

    #[test]
    fn positions_without_holes_are_right() {
        let mut record = signed_in(4);
        record.event(message(5, 50));
        record.event(Event::Void { channel_id: "1".to_owned(), position: "6".to_owned() });
        record.event(message(7, 70));
        record.check().unwrap();
        assert_eq!(record.position("1"), 7);
        assert_eq!(record.cursors(), BTreeMap::from([("1", "7".to_owned())]));
    }

    #[test]
    fn a_hole_a_repeat_and_a_falling_id_are_faults() {
        for events in [[(5, 50), (7, 70)], [(5, 50), (5, 50)], [(5, 50), (6, 49)]] {
            let mut record = signed_in(4);
            for (position, id) in events {
                record.event(message(position, id));
            }
            assert!(record.check().is_err(), "{events:?} was taken");
        }
    }

    #[test]
    fn a_second_sign_in_keeps_the_place() {
        let mut record = signed_in(4);
        record.disconnected();
        assert_eq!(record.server(), None);
        record.ready(8, vec![Channel { id: "1".to_owned(), head: "9".to_owned() }]);
        record.event(message(5, 50));
        record.check().unwrap();
        assert_eq!(record.servers, [7, 8]);
    }

    #[test]
    fn a_head_beyond_what_came_is_a_fault() {
        let heads = |head: &str| BTreeMap::from([("1".to_owned(), head.to_owned())]);
        let mut record = signed_in(4);
        record.heads(&heads("4"));
        record.check().unwrap();
        record.heads(&heads("5"));
        assert!(record.check().is_err());
    }

    #[test]
    fn an_ack_that_contradicts_the_event_is_a_fault() {
        let mut record = signed_in(0);
        record.ack("n-1", &Ack { id: "11".to_owned(), position: 1 });
        record.event(message(1, 10));
        assert!(record.check().is_err());
    }
}

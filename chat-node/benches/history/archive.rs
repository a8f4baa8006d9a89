//! What the store holds: all of it follows from the number of messages, so that every page can be checked.

use anyhow::{Result, ensure};
use chat_node::ids::snowflake::EPOCH_MS;
use chat_node::ids::{AccessVersion, ChannelId, MessageId, Position};
use chat_node::protocol::message::{Composed, Message, Place, User};
use crds::Duration;
use serde::Serialize;

/// Length of a bucket: short, so that a year has thousands.
pub const BUCKET_SECONDS: u16 = 3_600;
const BUCKET_MS: u64 = BUCKET_SECONDS as u64 * 1_000;
/// Channels that four of five messages are in.
const BUSY: u64 = 4;
/// Buckets that the messages of a busy channel fill.
const FILLED: u64 = 3;
/// Messages of a quiet channel, each alone in its bucket.
const QUIET_MESSAGES: u64 = 200;
/// From one message of a quiet channel to the next, in buckets.
const APART: u64 = 43;
/// Before this message of a quiet channel nothing was said for so many buckets more.
pub const AFTER_SILENCE: u64 = 100;
const SILENCE: u64 = 5_000;
/// Bytes of a message's text.
const CONTENT: usize = 200;
const AUTHORS: u64 = 20;
/// An id tells channels apart by the bits that have another meaning elsewhere.
const CHANNEL_BITS: u32 = 22;
const SIZES: std::ops::RangeInclusive<u64> = 10_000..=20_000_000;

/// Busy and quiet channels with their messages.
#[derive(Clone, Copy, Debug)]
pub struct Archive {
    busy_messages: u64,
    quiet_channels: u64,
}

/// How much is said in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Pace {
    Busy,
    Quiet,
}

/// One channel: its messages are numbered from 0.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    number: u64,
    pace: Pace,
    /// How many there are.
    pub messages: u64,
}

impl Archive {
    /// One of about so many messages.
    pub fn of(messages: u64) -> Result<Self> {
        ensure!(SIZES.contains(&messages), "between {} and {} messages", SIZES.start(), SIZES.end());
        let busy_messages = messages * 4 / 5 / BUSY;
        Ok(Self { busy_messages, quiet_channels: messages / 5 / QUIET_MESSAGES })
    }

    /// How many messages there are.
    pub fn messages(self) -> u64 {
        self.channels().map(|channel| channel.messages).sum()
    }

    /// All channels.
    pub fn channels(self) -> impl Iterator<Item = Channel> {
        let busy = (0..BUSY).map(move |number| self.channel(Pace::Busy, number));
        busy.chain((0..self.quiet_channels).map(move |number| self.channel(Pace::Quiet, number)))
    }

    /// One of the channels of that pace.
    pub fn any(self, pace: Pace, dice: &mut fastrand::Rng) -> Channel {
        let count = match pace {
            Pace::Busy => BUSY,
            Pace::Quiet => self.quiet_channels,
        };
        self.channel(pace, dice.u64(..count))
    }

    fn channel(self, pace: Pace, number: u64) -> Channel {
        match pace {
            Pace::Busy => Channel { number, pace, messages: self.busy_messages },
            Pace::Quiet => Channel { number: BUSY + number, pace, messages: QUIET_MESSAGES },
        }
    }
}

impl Channel {
    /// Its id.
    pub fn id(self) -> ChannelId {
        ChannelId(ChannelId::OFFICIAL.0 + 1 + self.number)
    }

    /// The id of a message.
    pub fn message_id(self, number: u64) -> MessageId {
        MessageId((self.ms(number) - EPOCH_MS) << CHANNEL_BITS | self.number)
    }

    /// A message.
    pub fn message(self, number: u64) -> Result<Message> {
        let (id, channel_id, position) = (self.message_id(number), self.id(), Position(number + 1));
        let place = Place { id, channel_id, position, access: AccessVersion::default() };
        let author = format!("author-{}", number % AUTHORS);
        let author = User { id: author.parse()?, name: author };
        let composed = Composed { content: "x".repeat(CONTENT), ..Composed::default() };
        Ok(Message::new(place, author, number.to_string(), composed))
    }

    fn ms(self, number: u64) -> u64 {
        let first = EPOCH_MS.next_multiple_of(BUCKET_MS);
        match self.pace {
            Pace::Busy => first + number * FILLED * BUCKET_MS / self.messages,
            Pace::Quiet => {
                let silence = if number < AFTER_SILENCE { 0 } else { SILENCE };
                first + (number * APART + silence) * BUCKET_MS
            }
        }
    }
}

/// Length of a bucket.
pub fn bucket() -> Duration {
    Duration::seconds(BUCKET_SECONDS)
}

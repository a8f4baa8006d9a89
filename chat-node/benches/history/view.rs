//! Which pages are asked for, and what must be on them.

use std::ops::Range;

use anyhow::{Result, ensure};
use chat_node::protocol::message::Message;
use chat_node::store::Around;
use serde::Serialize;

use crate::archive::{AFTER_SILENCE, Archive, Channel, Pace};

/// Messages of a page.
pub const PAGE: u16 = 50;

/// Pages of one kind, in channels of one pace.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct View {
    pub pace: Pace,
    pub look: Look,
}

/// Where in a channel a page lies.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Look {
    /// At the end.
    Newest,
    /// Before any message.
    Before,
    /// Around any message.
    Around,
    /// Before the message that ended the long silence.
    OverSilence,
}

/// A page to be read.
#[derive(Clone, Debug)]
pub struct Page {
    pub channel: Channel,
    pub around: Around,
    /// The messages that must be on it.
    numbers: Range<u64>,
}

impl View {
    pub const ALL: [Self; 7] = [
        Self { pace: Pace::Busy, look: Look::Newest },
        Self { pace: Pace::Busy, look: Look::Before },
        Self { pace: Pace::Busy, look: Look::Around },
        Self { pace: Pace::Quiet, look: Look::Newest },
        Self { pace: Pace::Quiet, look: Look::Before },
        Self { pace: Pace::Quiet, look: Look::Around },
        Self { pace: Pace::Quiet, look: Look::OverSilence },
    ];

    /// One of its pages.
    pub fn any(self, archive: Archive, dice: &mut fastrand::Rng) -> Page {
        let channel = archive.any(self.pace, dice);
        let (all, size) = (channel.messages, u64::from(PAGE));
        let ending = |end: u64| end.saturating_sub(size)..end;
        let before = |number| (Around::Before(channel.message_id(number)), ending(number));
        let (around, numbers) = match self.look {
            Look::Newest => (Around::End, ending(all)),
            Look::Before => before(dice.u64(size..all)),
            Look::OverSilence => before(AFTER_SILENCE),
            Look::Around => {
                let number = dice.u64(size..all);
                (Around::Middle(channel.message_id(number)), ending(all.min(number + 1 + size / 2)))
            }
        };
        Page { channel, around, numbers }
    }
}

impl Page {
    /// Fails unless these are the page's messages, newest first.
    pub fn check(&self, found: &[Message]) -> Result<()> {
        let right = found.len() as u64 == self.numbers.end - self.numbers.start
            && self.numbers.clone().rev().zip(found).all(|(number, message)| {
                message.id == self.channel.message_id(number)
                    && message.channel_id == self.channel.id()
                    && message.position.0 == number + 1
            });
        ensure!(
            right,
            "a wrong page: {self:?} gave {:?}",
            found.iter().map(|m| m.position).collect::<Vec<_>>()
        );
        Ok(())
    }
}

//! What a client makes of what it hears; it knows what should have come, and says what is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::protocol::message::Entry;
use chat_node::store::ChannelKind;
use tokio::time::Instant;

use super::Client;
use super::frame::{Frame, Page, Said, Told};
use super::posts::Posted;
use super::way::Way;
use crate::oracle::stored;
use crate::trace::{Event, Shown};

impl Client {
    /// Takes in frames that came together.
    pub(super) fn hears_page(&mut self, page: Page, way: &Way) -> Option<Instant> {
        let mut leave_at = None;
        for frame in page.frames {
            leave_at = self.hears(frame, way).or(leave_at);
        }
        let own = self.view().cursors().to_string();
        if page.cursors != own {
            self.wrong(format!("it is told to go on from {}, but has seen {own}", page.cursors), None);
        }
        self.view().is_ready = true;
        leave_at
    }

    /// Takes in a frame; gives when to go, if that is what it says.
    pub(super) fn hears(&mut self, frame: Frame, way: &Way) -> Option<Instant> {
        match (frame.op.as_str(), frame.kind.as_deref()) {
            ("hello", _) => self.identify(way),
            ("ready", _) => {
                self.view().begins(frame.channels.unwrap_or_default());
                let cursors = self.view().cursors().to_string();
                self.note(Event::Ready { client: self.id, cursors });
                self.sends_all(way);
            }
            ("ack", _) => match (frame.nonce, frame.id, frame.position) {
                (Some(nonce), Some(id), Some(position)) => self.acked(&nonce, (id, position)),
                _ => self.wrong("an ack lacks a field".to_owned(), None),
            },
            ("event", Some("message_create")) => match frame.message {
                Some(Said::Message(told)) => self.sees_message(&told),
                _ => self.wrong("a message lacks its content".to_owned(), None),
            },
            ("event", Some("void")) => self.sees_entry(&frame, Shown::Void),
            ("event", Some("message_update" | "message_delete" | "reaction" | "pin" | "channel_update")) => {
                self.sees_entry(&frame, Shown::Change);
            }
            ("event", Some("channel_create")) => self.gets(frame),
            ("event", Some("channel_delete")) => self.loses(&frame),
            ("error", _) => {
                let retry_after_ms = frame.retry_after_ms;
                self.refused(frame.nonce, &frame.code.unwrap_or_default(), retry_after_ms);
            }
            ("heartbeat_ack", _) => self.hears_heads(&frame.heads.unwrap_or_default()),
            ("reconnect", _) => {
                return Some(Instant::now() + Duration::from_millis(frame.delay_ms.unwrap_or(0)));
            }
            _ => {}
        }
        None
    }

    /// Takes in the answer to a message that was sent by request.
    pub(super) fn posted(&mut self, Posted { nonce, result }: Posted) {
        match result {
            Some(Ok(message)) => self.acked(&nonce, (message.id, message.position)),
            Some(Err(problem)) => {
                let retry_after_ms = problem.retry_after.map(|after| after.as_millis() as u64);
                self.refused(Some(nonce), problem.code.as_str(), retry_after_ms);
            }
            None => {}
        }
    }

    fn identify(&self, way: &Way) {
        let Way::Socket(end) = way else { return };
        let (token, cursors) = (&self.token, self.view().cursors());
        let named: Vec<_> = cursors.0.iter().map(|(id, last)| format!("\"{id}\":\"{last}\"")).collect();
        let cursors = named.join(",");
        end.say(format!("{{\"op\":\"identify\",\"token\":\"{token}\",\"cursors\":{{{cursors}}}}}"));
    }

    fn gets(&self, frame: Frame) {
        let Some(channel) = frame.channel else { return };
        self.note(Event::Gets { client: self.id, channel: channel.id, after: channel.head.0 });
        self.view().gets(channel);
    }

    fn loses(&self, frame: &Frame) {
        let Some(channel) = frame.channel_id else { return };
        self.note(Event::Loses { client: self.id, channel });
        self.view().loses(channel);
    }

    fn sees_entry(&self, frame: &Frame, shown: Shown) {
        if let (Some(channel), Some(position)) = (frame.channel_id, frame.position) {
            self.sees(channel, position, shown);
        }
    }

    fn sees_message(&self, told: &Told) {
        let there = self.world().store.tables().entry(told.channel_id, told.position);
        if let Some(Entry::Message(message)) = there {
            // It may have been edited on its way.
            let same_words = message.content == told.content || message.edited_ms.is_some();
            let same = message.author == told.author && message.nonce == told.nonce && same_words;
            if !same {
                let what = format!("the message at {} came with other words than stored", told.position);
                self.wrong(what, Some(told.channel_id));
            }
        }
        self.sees(told.channel_id, told.position, Shown::Message(told.id));
    }

    fn sees(&self, channel: ChannelId, position: Position, shown: Shown) {
        self.note(Event::Sees { client: self.id, channel, position: position.0, shown });
        let stored = stored(&self.world().store.tables(), channel, position.0);
        if shown != Shown::Void {
            // That a position holds nothing says nothing to anybody.
            self.world().oracle.shown(&self.user.id, (channel, position.0), self.id);
        }
        let result = match self.view().seen.get_mut(&channel) {
            Some(seen) => seen.take(position.0, shown, stored),
            None => Err(format!("{position} came, of a channel that it does not have")),
        };
        if let Err(what) = result {
            self.wrong(what, Some(channel));
        }
    }

    fn acked(&mut self, nonce: &str, (id, position): (MessageId, Position)) {
        self.note(Event::Acked { client: self.id, nonce: nonce.to_owned(), id, position });
        let Some(channel) = self.view().finish(nonce).map(|draft| draft.channel) else { return };
        self.own().push((channel, id));
        self.world().oracle.acked((channel, &self.user.id, nonce), (id, position));
        if let Err(what) = self.line.stored((channel, nonce), position) {
            self.wrong(what, Some(channel));
        }
    }

    /// The server says how far it has told.
    fn hears_heads(&self, heads: &BTreeMap<ChannelId, Position>) {
        for (channel, head) in heads {
            let last = self.view().seen.get(channel).map_or(0, |seen| seen.last);
            if last < head.0 {
                self.wrong(format!("it was told up to {head}, but has seen only {last}"), Some(*channel));
            }
        }
    }

    fn refused(&self, nonce: Option<String>, code: &str, retry_after_ms: Option<u64>) {
        self.note(Event::Refused { client: self.id, nonce: nonce.clone(), code: code.to_owned() });
        let Some(nonce) = nonce else { return };
        let mut view = self.view();
        let Some(draft) = view.draft(&nonce) else { return };
        match code {
            "unavailable" if retry_after_ms.is_none() => {
                drop(view);
                self.wrong(format!("{nonce} was refused as unavailable without a time to come back"), None);
            }
            "unavailable" | "rate_limited" | "timeout" => {
                draft.due = Instant::now() + Duration::from_millis(retry_after_ms.unwrap_or(1_000));
            }
            // Nobody may be put out of a direct channel.
            "unknown_channel" | "forbidden" if !self.is_direct(draft.channel) => drop(view.finish(&nonce)),
            _ => {
                drop(view);
                self.wrong(format!("{nonce} was refused with {code}"), None);
            }
        }
    }

    fn is_direct(&self, channel: ChannelId) -> bool {
        let kind = self.world().store.tables().channel(channel).map(|channel| channel.kind);
        matches!(kind, Some(ChannelKind::Direct(_)))
    }
}

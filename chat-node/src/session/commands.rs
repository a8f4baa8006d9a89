//! Frames of the client, and what became of what they asked for.

use std::time::{Duration, Instant};

use super::timers::Wake;
use super::{Live, Output, Sent, Session, Stage, Watched};
use crate::error::{CloseReason, ErrorCode, Problem};
use crate::ids::ChannelId;
use crate::limits::{NONCE_CHARS, TYPING_INTERVAL, WATCHED_MAX};
use crate::protocol::codec;
use crate::protocol::compose;
use crate::protocol::frame::{ClientFrame, Draft, Fetch, ServerFrame};
use crate::protocol::message::Entry;

/// Fetches of one connection at a time.
const FETCHES_MAX: usize = 4;
/// Longest answer to a fetch, in bytes, unless its first entry alone is longer.
const FILL_BYTES: usize = 64 * 1024;
/// When to try again what there is too much of at a time.
const BUSY: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn text(&mut self, text: &str, now: Instant) {
        if text.len() > self.limits.frame_bytes {
            return self.close(CloseReason::TooLarge);
        }
        let is_live = matches!(self.stage, Stage::Live(_));
        if is_live {
            self.timers.set(Wake::HeartbeatDeadline, now + self.limits.heartbeat * 2);
        }
        match codec::decode(text) {
            Ok(ClientFrame::Identify(identify)) => self.identify(identify),
            Ok(ClientFrame::Heartbeat) if matches!(self.stage, Stage::Identifying { .. }) => {
                if self.admit(None, now) {
                    self.outputs.push_back(Output::AcknowledgeHeartbeat);
                }
            }
            Ok(_) if !is_live => self.close(CloseReason::NotIdentified),
            Ok(ClientFrame::Send(draft)) => self.send(draft, now),
            Ok(command) => {
                if self.admit(None, now) {
                    self.command(command, now);
                }
            }
            Err(error) => {
                if self.admit(None, now) {
                    self.refuse(&Problem::new(error.code, error.message), None);
                }
            }
        }
    }

    pub(super) fn sent(&mut self, nonce: &str, result: Result<Sent, Problem>) {
        match result {
            Ok(Sent { id, position }) => self.write(&ServerFrame::Ack { nonce, id, position }),
            Err(problem) => self.refuse(&problem, Some(nonce)),
        }
        if let Stage::Live(live) = &mut self.stage {
            let next = live.sends.finished();
            self.outputs.extend(next.map(Output::Send));
        }
    }

    pub(super) fn fetched(&mut self, fetch: Fetch, result: Result<Vec<Entry>, Problem>) {
        if let Stage::Live(live) = &mut self.stage {
            live.fetches = live.fetches.saturating_sub(1);
        }
        match result {
            Ok(entries) => {
                let fill = codec::encode_fill(fetch, &entries, FILL_BYTES);
                self.outputs.push_back(Output::Write(fill));
            }
            Err(problem) => self.refuse(&problem, None),
        }
    }

    fn command(&mut self, command: ClientFrame, now: Instant) {
        match command {
            ClientFrame::Heartbeat => self.outputs.push_back(Output::AcknowledgeHeartbeat),
            ClientFrame::Fetch(fetch) => self.fetch(fetch),
            ClientFrame::Typing { channel_id } => self.typing(channel_id, now),
            ClientFrame::Read { channel_id: channel, position } => {
                self.outputs.push_back(Output::MarkRead { channel, position });
            }
            ClientFrame::Watch { user_ids } => self.watch(user_ids),
            // They have been taken care of before.
            ClientFrame::Identify(_) | ClientFrame::Send(_) => {}
        }
    }

    fn send(&mut self, draft: Draft, now: Instant) {
        if !self.admit(Some(&draft.nonce), now) {
            return;
        }
        if let Err(problem) = check(&draft) {
            // A nonce that is itself too long is not sent back.
            let nonce = (problem.code != ErrorCode::InvalidNonce).then_some(draft.nonce.as_str());
            return self.refuse(&problem, nonce);
        }
        let Stage::Live(live) = &mut self.stage else { return };
        match live.sends.offer(draft) {
            Ok(next) => self.outputs.extend(next.map(Output::Send)),
            Err(draft) => {
                let message = "too many messages of this connection wait for the store";
                let problem = Problem::retry(ErrorCode::RateLimited, message, BUSY);
                self.refuse(&problem, Some(&draft.nonce));
            }
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        if !(1..=Fetch::LIMIT_MAX).contains(&fetch.limit) {
            let message = format!("`limit` must be a whole number from 1 to {}", Fetch::LIMIT_MAX);
            return self.refuse(&Problem::new(ErrorCode::Malformed, message), None);
        }
        let Stage::Live(live) = &mut self.stage else { return };
        if live.fetches >= FETCHES_MAX {
            let message = format!("{FETCHES_MAX} fetches of this connection are under way");
            return self.refuse(&Problem::retry(ErrorCode::RateLimited, message, BUSY), None);
        }
        live.fetches += 1;
        self.outputs.push_back(Output::Fetch(fetch));
    }

    /// Said more often than it is worth telling, it is not told.
    fn typing(&mut self, channel: ChannelId, now: Instant) {
        let Stage::Live(live) = &mut self.stage else { return };
        if !live.following.contains(channel) {
            return self.refuse(&unknown(channel), None);
        }
        if live.may_tell_typing(channel, now) {
            self.outputs.push_back(Output::Typing(channel));
        }
    }

    fn watch(&mut self, users: Watched) {
        if users.len() > WATCHED_MAX {
            let message = format!("at most {WATCHED_MAX} users can be watched; these are {}", users.len());
            return self.refuse(&Problem::new(ErrorCode::Malformed, message), None);
        }
        self.outputs.push_back(Output::Watch(users));
    }

    /// Takes a token from the bucket. Without one the command is refused, and a client that does not mind the
    /// refusals for long is closed.
    fn admit(&mut self, nonce: Option<&str>, now: Instant) -> bool {
        let Err(retry_after) = self.bucket.take(now) else {
            self.refused_in_a_row = 0;
            return true;
        };
        self.refused_in_a_row += 1;
        if self.refused_in_a_row > self.limits.commands_per_minute {
            self.close(CloseReason::Flooding);
        } else {
            let message =
                format!("more than {} commands a minute on one connection", self.limits.commands_per_minute);
            let nonce = nonce.filter(|nonce| nonce.len() <= NONCE_CHARS * 4);
            self.refuse(&Problem::retry(ErrorCode::RateLimited, message, retry_after), nonce);
        }
        false
    }
}

impl Live {
    fn may_tell_typing(&mut self, channel: ChannelId, now: Instant) -> bool {
        self.typed.retain(|_, at| now.saturating_duration_since(*at) < TYPING_INTERVAL);
        let is_first = !self.typed.contains_key(&channel);
        self.typed.entry(channel).or_insert(now);
        is_first
    }
}

/// Whether a message has a nonce and a content that can be stored.
///
/// # Errors
/// [`ErrorCode::InvalidNonce`], [`ErrorCode::InvalidContent`].
pub fn check(draft: &Draft) -> Result<(), Problem> {
    compose::nonce(&draft.nonce)?;
    compose::composed(draft.composed.clone()).map(drop)
}

fn unknown(channel: ChannelId) -> Problem {
    Problem::new(ErrorCode::UnknownChannel, format!("there is no channel {channel} for you"))
}

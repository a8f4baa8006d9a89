//! Frames of the client.

use std::time::Instant;

use super::timers::Wake;
use super::{Output, Sent, Session, Stage};
use crate::error::{CloseReason, ErrorCode, Problem};
use crate::limits::{CONTENT_CHARS, NONCE_CHARS};
use crate::protocol::codec;
use crate::protocol::frame::{ClientFrame, Draft, Identify, ServerFrame};

impl Session {
    pub(super) fn text(&mut self, text: &str, now: Instant) {
        if text.len() > self.limits.frame_bytes {
            return self.close(CloseReason::TooLarge);
        }
        if matches!(self.stage, Stage::Live { .. }) {
            self.timers.set(Wake::HeartbeatDeadline, now + self.limits.heartbeat * 2);
        }
        match codec::decode(text) {
            Ok(ClientFrame::Identify(identify)) => self.identify(identify),
            Ok(_) if !matches!(self.stage, Stage::Live { .. }) => self.close(CloseReason::NotIdentified),
            Ok(ClientFrame::Heartbeat) => {
                if self.admit(None, now) {
                    self.write(&ServerFrame::HeartbeatAck);
                }
            }
            Ok(ClientFrame::Send(draft)) => self.send(draft, now),
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
        if let Stage::Live { sends, .. } = &mut self.stage {
            let next = sends.finished();
            self.outputs.extend(next.map(Output::Send));
        }
    }

    fn identify(&mut self, identify: Identify) {
        if !matches!(self.stage, Stage::Greeted) {
            return self.close(CloseReason::AlreadyIdentified);
        }
        self.stage = Stage::Identifying { cursors: identify.cursors.clone() };
        self.outputs.push_back(Output::Identify(identify));
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
        let Stage::Live { sends, .. } = &mut self.stage else { return };
        match sends.offer(draft) {
            Ok(next) => self.outputs.extend(next.map(Output::Send)),
            Err(draft) => {
                let message = "too many messages of this connection wait for the store";
                let problem =
                    Problem::retry(ErrorCode::RateLimited, message, std::time::Duration::from_secs(1));
                self.refuse(&problem, Some(&draft.nonce));
            }
        }
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

fn check(draft: &Draft) -> Result<(), Problem> {
    if !(1..=NONCE_CHARS).contains(&draft.nonce.chars().count()) {
        let message = format!("a nonce has 1 to {NONCE_CHARS} characters");
        return Err(Problem::new(ErrorCode::InvalidNonce, message));
    }
    let length = draft.content.chars().count();
    if length > CONTENT_CHARS || draft.content.trim().is_empty() {
        let message =
            format!("a message has 1 to {CONTENT_CHARS} characters and is not blank; this one has {length}");
        return Err(Problem::new(ErrorCode::InvalidContent, message));
    }
    Ok(())
}

//! Sending: permission → append → (the log's observer) publish → ack.

use std::sync::Arc;
use std::time::Duration;

use super::log::{AppendError, Draft as LogDraft};
use super::{Channels, problem_of};
use crate::bus::{Audience, Envelope, Notice};
use crate::error::{ErrorCode, Problem};
use crate::protocol::frame::Draft;
use crate::protocol::message::{Composed, Entry, User};
use crate::session::Sent;
use crate::store::ChannelKind;

impl Channels {
    /// Stores a message; who follows the channel, here or elsewhere, is told before this ends. A nonce that the author
    /// has used before in the channel gives the first message again.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::RateLimited`], [`ErrorCode::Unavailable`]: with the last one the
    /// message may be stored or not, and a repetition with the same nonce finds out.
    pub async fn send(&self, author: &User, draft: Draft) -> Result<Sent, Problem> {
        let result = self.append(author, draft).await;
        match &result {
            Ok(_) => self.metrics.sent.inc(),
            Err(problem) => self.metrics.refused(problem.code),
        }
        result
    }

    async fn append(&self, author: &User, draft: Draft) -> Result<Sent, Problem> {
        let Draft { channel_id, nonce, content } = draft;
        self.permit(&author.id, channel_id).await?;
        let timer = self.metrics.append_seconds.start_timer();
        let composed = Composed { content, ..Composed::default() };
        let drafts = vec![LogDraft::Message { author: author.clone(), nonce, composed }];
        let appended = self.log.append(channel_id, drafts).await.map_err(|error| refusal(&error))?;
        timer.observe_duration();
        let stored =
            appended.first().ok_or_else(|| Problem::new(ErrorCode::Internal, "nothing was stored"))?;
        let message =
            stored.message().ok_or_else(|| Problem::new(ErrorCode::Internal, "a change was stored"))?;
        Ok(Sent { id: message.id, position: message.position })
    }

    /// What this node has stored goes to its own followers at once, and over the bus to those of other nodes.
    pub(super) fn stored(self: &Arc<Self>, entries: Vec<Entry>) {
        for entry in entries {
            self.publish(&entry);
            self.receive_entry(entry);
        }
    }

    fn publish(&self, entry: &Entry) {
        let Entry::Message(message) = entry else { return };
        // Sending has just asked for the kind, so it is known.
        let users = match self.known_kind(message.channel_id) {
            Some(ChannelKind::Group(_)) => None,
            Some(ChannelKind::Direct(users)) => Some(users),
            None => return,
        };
        let envelope = Envelope::new(Notice::Message { message: message.clone(), users: users.clone() });
        let audience = match &users {
            None => Audience::Everyone,
            Some(members) => Audience::Channel { id: message.channel_id, members },
        };
        self.bus.publish(&envelope, audience);
    }
}

fn refusal(error: &AppendError) -> Problem {
    match error {
        AppendError::Busy => {
            Problem::retry(ErrorCode::RateLimited, error.to_string(), Duration::from_secs(1))
        }
        AppendError::Ids(_) => {
            Problem::retry(ErrorCode::Unavailable, error.to_string(), Duration::from_secs(2))
        }
        AppendError::Store(error) => problem_of(error),
        AppendError::TooMany => Problem::new(ErrorCode::Internal, error.to_string()),
    }
}

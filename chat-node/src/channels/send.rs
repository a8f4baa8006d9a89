//! Sending: permission → append → (the log's guard) publish → ack.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::change::MessageAt;
use super::log::{AppendError, Appended, Content, Draft as LogDraft};
use super::permit::{Right, Standing};
use super::{Channels, problem_of};
use crate::error::{ErrorCode, Problem};
use crate::ids::{AccessVersion, ChannelId, GroupId, MessageId, UserId};
use crate::protocol::compose;
use crate::protocol::frame::Draft;
use crate::protocol::message::{Message, User};
use crate::store::{ChannelKind, StoreError};

impl Channels {
    /// Stores a message; who follows the channel, here or elsewhere, is told before this ends. A nonce that the author
    /// has used before in the channel gives the first message again.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::Forbidden`], [`ErrorCode::InvalidContent`],
    /// [`ErrorCode::InvalidNonce`], [`ErrorCode::UnknownMessage`] for the one that is answered,
    /// [`ErrorCode::SlowMode`], [`ErrorCode::RateLimited`], [`ErrorCode::Unavailable`]: with the last one the message
    /// may be stored or not, and a repetition with the same nonce finds out.
    pub async fn send(&self, author: &User, draft: Draft) -> Result<Message, Problem> {
        let result = self.try_send(author, draft).await;
        match &result {
            Ok(_) => self.metrics.sent.inc(),
            Err(problem) => self.metrics.refused(problem.code),
        }
        result
    }

    async fn try_send(&self, author: &User, draft: Draft) -> Result<Message, Problem> {
        let Draft { channel_id: channel, nonce, composed } = draft;
        compose::nonce(&nonce)?;
        let composed = compose::composed(composed)?;
        let right = if composed.mention_everyone { Right::Announce } else { Right::Send };
        let standing = self.permit(&author.id, channel, right).await?;
        if let Some(reference) = composed.reference {
            self.existing(channel, reference).await?;
        }
        self.ready_to_route(&standing).await;
        let turn = self.take_turn((channel, &author.id), &nonce, &standing)?;
        let (content, checked) = (Content::Message { nonce: nonce.clone(), composed }, standing.checked);
        let draft = LogDraft { author: author.clone(), content, needs: right, checked };
        let appended = self.append(channel, draft).await;
        if turn && appended.is_err() {
            self.slow_mode().give_back((channel, &author.id), &nonce);
        }
        match appended? {
            Appended::New(message) | Appended::Known(message) => Ok(message),
            Appended::Changed(_) => Err(Problem::new(ErrorCode::Internal, "a change was stored")),
        }
    }

    /// Appends one draft.
    pub(super) async fn append(&self, channel: ChannelId, draft: LogDraft) -> Result<Appended, Problem> {
        let timer = self.metrics.append_seconds.start_timer();
        let author = draft.author.id.clone();
        let appended = match self.log.append(channel, vec![draft]).await {
            Ok(appended) => appended,
            Err(error) => return Err(self.refusal((channel, &author), error).await),
        };
        timer.observe_duration();
        let first = appended.into_iter().next();
        first.ok_or_else(|| Problem::new(ErrorCode::Internal, "nothing was stored"))
    }

    /// A message of the channel that can be answered or changed.
    pub(super) async fn existing(&self, channel: ChannelId, id: MessageId) -> Result<Message, Problem> {
        let found = self.store.message(channel, id).await.map_err(|error| problem_of(&error))?;
        found.ok_or_else(|| unknown_message((channel, id)))
    }

    /// Where envelopes go to each member, knows the members before there is something to publish.
    pub(super) async fn ready_to_route(&self, standing: &Standing) {
        if let ChannelKind::Group(group) = &standing.kind
            && *group != GroupId::OFFICIAL
            && self.routes_by_user()
            && let Err(error) = self.views.members(*group).await
        {
            // It goes to every node then.
            tracing::debug!(%group, %error, "the members of a group could not be read");
        }
    }

    /// `true`: a turn was taken that has to be given back if nothing is stored.
    fn take_turn(
        &self,
        whose: (ChannelId, &UserId),
        nonce: &str,
        standing: &Standing,
    ) -> Result<bool, Problem> {
        let seconds = standing.settings.slow_mode_s;
        if seconds == 0 || standing.permissions.manage {
            return Ok(false);
        }
        let when = (Duration::from_secs(seconds.into()), now());
        let taken = self.slow_mode().take(whose, nonce, when);
        taken.map(|()| true).map_err(|left| {
            let message = format!("the channel is in slow mode: one message every {seconds} s");
            Problem::retry(ErrorCode::SlowMode, message, left)
        })
    }

    /// What a client is told of a failed append. A store that refuses has lost the channel meanwhile.
    async fn refusal(&self, (channel, author): (ChannelId, &UserId), error: AppendError) -> Problem {
        match error {
            AppendError::Busy => {
                Problem::retry(ErrorCode::RateLimited, error.to_string(), Duration::from_secs(1))
            }
            AppendError::Ids(_) => {
                Problem::retry(ErrorCode::Unavailable, error.to_string(), Duration::from_secs(2))
            }
            AppendError::Store(StoreError::Refused(_)) => match self.permit_reading(author, channel).await {
                Err(problem) => problem,
                Ok(_) => Problem::new(ErrorCode::Internal, "the server failed; its log says why"),
            },
            AppendError::Store(error) => problem_of(&error),
            AppendError::Refused(problem) => problem,
            AppendError::TooMany => Problem::new(ErrorCode::Internal, error.to_string()),
        }
    }
}

/// Checks drafts of one channel again under a newer access version.
pub(super) async fn check_again(
    channels: &Arc<Channels>,
    (channel, access): (ChannelId, AccessVersion),
    drafts: &[&LogDraft],
) -> Vec<Result<(), AppendError>> {
    let mut verdicts = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let permitted = channels.permit_under(&draft.author.id, (channel, access), draft.needs).await;
        verdicts.push(permitted.map(drop).map_err(AppendError::Refused));
    }
    verdicts
}

pub(super) fn unknown_message((channel, id): MessageAt) -> Problem {
    let message = format!("there is no message {id} in channel {channel}, or it is deleted");
    Problem::new(ErrorCode::UnknownMessage, message)
}

/// The runtime's time, which tests can hold.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

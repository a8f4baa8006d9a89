//! What a channel holds: pages of messages, newest first, single ones, pins. Whoever was put out of a channel before
//! they asked is refused, whatever this node has heard of it.

use std::collections::HashMap;
use std::future::Future;
use std::str::FromStr;

use super::change::MessageAt;
use super::send::unknown_message;
use super::{Channels, problem_of};
#[cfg(doc)]
use crate::error::ErrorCode;
use crate::error::Problem;
use crate::ids::{ChannelId, UserId};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::Message;
use crate::store::{Around, Channel, StoreError};

/// How many messages a page holds: 1 to 100, 50 unless asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct PageSize(u16);

/// The number is not a [`PageSize`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`limit` must be a whole number from 1 to {}", PageSize::MAX)]
pub struct InvalidPageSize;

impl PageSize {
    /// The longest page.
    pub const MAX: u16 = 100;

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u16> for PageSize {
    type Error = InvalidPageSize;

    fn try_from(number: u16) -> Result<Self, InvalidPageSize> {
        (1..=Self::MAX).contains(&number).then_some(Self(number)).ok_or(InvalidPageSize)
    }
}

impl TryFrom<String> for PageSize {
    type Error = InvalidPageSize;

    fn try_from(text: String) -> Result<Self, InvalidPageSize> {
        text.parse()
    }
}

impl FromStr for PageSize {
    type Err = InvalidPageSize;

    fn from_str(text: &str) -> Result<Self, InvalidPageSize> {
        text.parse::<u16>().map_err(|_| InvalidPageSize)?.try_into()
    }
}

impl Channels {
    /// A page of messages with their reactions, newest first. Fewer than `size` are left only at the channel's
    /// beginning or, after a message, at its end.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], also where `user` has no part in it; [`ErrorCode::Unavailable`].
    pub async fn history(
        &self,
        user: &UserId,
        channel: ChannelId,
        (around, size): (Around, PageSize),
    ) -> Result<Vec<Message>, Problem> {
        let (_, row) = self.permit_reading(user, channel).await?;
        self.read_shown(&row, user, || self.store.history(channel, around, size.get())).await
    }

    /// The pinned messages of a channel with their reactions, newest first, at most 50.
    ///
    /// # Errors
    /// As [`Channels::history`].
    pub async fn pins(&self, user: &UserId, channel: ChannelId) -> Result<Vec<Message>, Problem> {
        let (_, row) = self.permit_reading(user, channel).await?;
        self.read_shown(&row, user, || self.store.pinned(channel)).await
    }

    /// One message with its reactions.
    ///
    /// # Errors
    /// As [`Channels::history`], and [`ErrorCode::UnknownMessage`].
    pub async fn message(&self, user: &UserId, (channel, id): MessageAt) -> Result<Message, Problem> {
        let (_, row) = self.permit_reading(user, channel).await?;
        let found = self
            .read_shown(&row, user, || async {
                Ok(self.store.message(channel, id).await?.into_iter().collect::<Vec<_>>())
            })
            .await?;
        found.into_iter().next().ok_or_else(|| unknown_message((channel, id)))
    }

    /// Who reacted to a message with an emoji, in order of id, after a user.
    ///
    /// # Errors
    /// As [`Channels::message`].
    pub async fn reactors(
        &self,
        user: &UserId,
        (channel, id): MessageAt,
        (emoji, after, size): (&Emoji, Option<&UserId>, PageSize),
    ) -> Result<Vec<UserId>, Problem> {
        self.permit_reading(user, channel).await?;
        self.existing(channel, id).await?;
        let found = self.store.reactors(id, emoji, (after, size.get())).await;
        found.map_err(|error| problem_of(&error))
    }

    /// Reads messages, after what a crash left unfolded shows on them, and adds their reactions.
    async fn read_shown<F: Future<Output = Result<Vec<Message>, StoreError>>>(
        &self,
        row: &Channel,
        viewer: &UserId,
        read: impl Fn() -> F,
    ) -> Result<Vec<Message>, Problem> {
        let reading = async {
            let (found, mut messages) = futures::try_join!(self.repair(row), read())?;
            if found {
                messages = read().await?;
            }
            self.with_reactions(messages, viewer).await
        };
        reading.await.map_err(|error| problem_of(&error))
    }

    async fn with_reactions(
        &self,
        mut messages: Vec<Message>,
        viewer: &UserId,
    ) -> Result<Vec<Message>, StoreError> {
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        if ids.is_empty() {
            return Ok(messages);
        }
        let mut reactions: HashMap<_, _> = self.store.reactions(&ids, viewer).await?.into_iter().collect();
        for message in &mut messages {
            message.reactions = reactions.remove(&message.id).unwrap_or_default();
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_1_to_100_messages() {
        assert_eq!("100".parse(), Ok(PageSize(100)));
        for text in ["0", "101", "-1", "70000", "ten", ""] {
            assert_eq!(text.parse::<PageSize>(), Err(InvalidPageSize), "{text:?}");
        }
    }
}

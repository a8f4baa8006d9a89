//! Changing what was written: edits, deletes, reactions, pins. Each is an entry of the channel's log; what would change
//! nothing is none.

use super::Channels;
use super::log::{Appended, Content, Draft};
use super::permit::{Right, Standing};
use super::problem_of;
use crate::error::{ErrorCode, Problem};
use crate::ids::{ChannelId, MessageId, UserId};
use crate::protocol::attachment::Embed;
use crate::protocol::compose;
use crate::protocol::emoji::Emoji;
use crate::protocol::message::{Change, ChangeEntry, Composed, Message, ReactionCount, User};
use crate::store::ChannelKind;

/// The most different emojis on one message.
pub const EMOJIS_MAX: usize = 20;
/// The most pinned messages of a channel; two that pin at the same moment may both be let through.
pub const PINS_MAX: usize = 50;

/// What an author changes of a message; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
pub struct Edit {
    /// The text.
    pub content: Option<String>,
    /// Who is mentioned.
    pub mentions: Option<Vec<UserId>>,
    /// Whether everyone who reads the channel is meant.
    pub mention_everyone: Option<bool>,
    /// The boxes below the text.
    pub embeds: Option<Vec<Embed>>,
}

/// A message of a channel.
pub type MessageAt = (ChannelId, MessageId);

impl Channels {
    /// Changes a message of `by`'s own; gives it as it is then, without reactions.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::UnknownMessage`], [`ErrorCode::Forbidden`] for others' messages,
    /// [`ErrorCode::InvalidContent`], [`ErrorCode::RateLimited`], [`ErrorCode::Unavailable`].
    pub async fn edit(&self, by: &User, (channel, id): MessageAt, edit: Edit) -> Result<Message, Problem> {
        let standing = self.permit(&by.id, channel, Right::Send).await?;
        let message = self.existing(channel, id).await?;
        if message.author.id != by.id {
            return Err(Problem::new(ErrorCode::Forbidden, "only its author edits a message"));
        }
        let edited = edited(message.clone(), edit)?;
        if edited == message {
            return Ok(message);
        }
        let means_everyone = edited.mention_everyone && !message.mention_everyone;
        let right = if means_everyone { Right::Announce } else { Right::Send };
        let change = Change::Edit {
            message_id: id,
            content: edited.content.clone(),
            mentions: edited.mentions.clone(),
            mention_everyone: edited.mention_everyone,
            embeds: edited.embeds.clone(),
        };
        let entry = self.change((by, channel), (change, right), &standing).await?;
        Ok(Message { edited_ms: Some(entry.timestamp_ms), ..edited })
    }

    /// Deletes a message for good: an own one, or with the right to manage any.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::UnknownMessage`], [`ErrorCode::Forbidden`],
    /// [`ErrorCode::RateLimited`], [`ErrorCode::Unavailable`].
    pub async fn delete(&self, by: &User, (channel, id): MessageAt) -> Result<(), Problem> {
        let standing = self.permit(&by.id, channel, Right::Read).await?;
        let message = self.existing(channel, id).await?;
        let right = if message.author.id == by.id { Right::Read } else { Right::Manage };
        let change = Change::Delete { message_id: id };
        self.change((by, channel), (change, right), &standing).await.map(drop)
    }

    /// Puts a reaction to a message, or takes it back; once more is the same.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::UnknownMessage`], [`ErrorCode::Forbidden`], [`ErrorCode::TooMany`]
    /// for more than [`EMOJIS_MAX`] emojis, [`ErrorCode::RateLimited`], [`ErrorCode::Unavailable`].
    pub async fn react(
        &self,
        by: &User,
        (channel, id): MessageAt,
        (emoji, on): (Emoji, bool),
    ) -> Result<(), Problem> {
        let right = if on { Right::Send } else { Right::Read };
        let standing = self.permit(&by.id, channel, right).await?;
        self.existing(channel, id).await?;
        let reactions = self.reactions_to(id, &by.id).await?;
        let same = reactions.iter().find(|count| count.emoji == emoji);
        if same.is_some_and(|count| count.me) == on {
            return Ok(());
        }
        if on && same.is_none() && reactions.len() >= EMOJIS_MAX {
            let message = format!("a message has at most {EMOJIS_MAX} different reactions; use one of them");
            return Err(Problem::new(ErrorCode::TooMany, message));
        }
        let change = Change::React { message_id: id, emoji, on };
        self.change((by, channel), (change, right), &standing).await.map(drop)
    }

    /// Pins a message or takes the pin out; in a direct channel both users may.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::UnknownMessage`], [`ErrorCode::Forbidden`], [`ErrorCode::TooMany`]
    /// for more than [`PINS_MAX`] pins, [`ErrorCode::RateLimited`], [`ErrorCode::Unavailable`].
    pub async fn pin(&self, by: &User, (channel, id): MessageAt, pinned: bool) -> Result<(), Problem> {
        let standing = self.permit(&by.id, channel, Right::Read).await?;
        let right = match standing.kind {
            ChannelKind::Direct(_) => Right::Send,
            ChannelKind::Group(_) => Right::Manage,
        };
        self.permit(&by.id, channel, right).await?;
        if self.existing(channel, id).await?.pinned == pinned {
            return Ok(());
        }
        if pinned && self.store.pinned(channel).await.map_err(|error| problem_of(&error))?.len() >= PINS_MAX {
            let message = format!("a channel has at most {PINS_MAX} pinned messages; unpin one first");
            return Err(Problem::new(ErrorCode::TooMany, message));
        }
        let change = Change::Pin { message_id: id, pinned };
        self.change((by, channel), (change, right), &standing).await.map(drop)
    }

    /// Appends a change, and makes it show.
    pub(super) async fn change(
        &self,
        (by, channel): (&User, ChannelId),
        (change, needs): (Change, Right),
        standing: &Standing,
    ) -> Result<ChangeEntry, Problem> {
        if !needs.is_in(standing.permissions) {
            self.permit(&by.id, channel, needs).await?;
        }
        self.ready_to_route(standing).await;
        let draft =
            Draft { author: by.clone(), content: Content::Change(change), needs, checked: standing.checked };
        match self.append(channel, draft).await? {
            Appended::Changed(entry) => {
                self.fold(&entry).await;
                Ok(entry)
            }
            Appended::New(_) | Appended::Known(_) => {
                Err(Problem::new(ErrorCode::Internal, "a message was stored"))
            }
        }
    }

    async fn reactions_to(&self, id: MessageId, viewer: &UserId) -> Result<Vec<ReactionCount>, Problem> {
        let found = self.store.reactions(&[id], viewer).await.map_err(|error| problem_of(&error))?;
        Ok(found.into_iter().flat_map(|(_, counts)| counts).collect())
    }
}

/// A message after an edit, but for the time of it.
fn edited(message: Message, edit: Edit) -> Result<Message, Problem> {
    let composed = compose::composed(Composed {
        content: edit.content.unwrap_or_else(|| message.content.clone()),
        mentions: edit.mentions.unwrap_or_else(|| message.mentions.clone()),
        mention_everyone: edit.mention_everyone.unwrap_or(message.mention_everyone),
        reference: message.reference,
        attachments: message.attachments.clone(),
        embeds: edit.embeds.unwrap_or_else(|| message.embeds.clone()),
        flags: message.flags,
    })?;
    let Composed { content, mentions, mention_everyone, embeds, .. } = composed;
    Ok(Message { content, mentions, mention_everyone, embeds, ..message })
}

//! Rows that are JSON, and what they mean.

use serde::{Deserialize, Serialize};

use super::fault::unreadable;
use crate::ids::{AccessVersion, Position};
use crate::protocol::message::{ChangeEntry, Composed, Entry, Message, Place};
use crate::store::StoreError;

/// A row of the entries' table that is not a void.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntryRow {
    Message(Box<MessageRow>),
    Change(Box<ChangeRow>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MessageRow {
    pub access: AccessVersion,
    /// Position of the last edit that is folded in.
    pub edited_at: Position,
    /// Position of the last change of its pin that is folded in.
    pub pinned_at: Position,
    /// Whether it is deleted; its text is gone then.
    pub deleted: bool,
    pub message: Message,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChangeRow {
    pub access: AccessVersion,
    pub change: ChangeEntry,
}

impl MessageRow {
    /// The row of the deleted message: its keys, which stay taken.
    pub fn without_content(self) -> Self {
        let Message { id, channel_id, position, access, author, nonce, .. } = self.message;
        let place = Place { id, channel_id, position, access };
        let message = Message::new(place, author, nonce, Composed::default());
        Self { deleted: true, message, ..self }
    }
}

impl EntryRow {
    pub fn new_message(message: &Message) -> Self {
        let (access, message) = (message.access, message.clone());
        let (edited_at, pinned_at, deleted) = (Position(0), Position(0), false);
        Self::Message(Box::new(MessageRow { access, edited_at, pinned_at, deleted, message }))
    }

    pub fn new_change(change: &ChangeEntry) -> Self {
        Self::Change(Box::new(ChangeRow { access: change.access, change: change.clone() }))
    }

    pub fn parse(row: &[u8]) -> Result<Self, StoreError> {
        let mut parsed = serde_json::from_slice(row).map_err(|error| unreadable("an entry", &error))?;
        match &mut parsed {
            Self::Message(row) => row.message.access = row.access,
            Self::Change(row) => row.change.access = row.access,
        }
        Ok(parsed)
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| unreadable("an entry", &error))
    }

    /// The entry as readers of the log see it.
    pub fn entry(self) -> Entry {
        match self {
            Self::Message(row) if row.deleted => {
                Entry::Void { channel_id: row.message.channel_id, position: row.message.position }
            }
            Self::Message(row) => Entry::Message(row.message),
            Self::Change(row) => Entry::Change(row.change),
        }
    }

    /// The message's row, deleted or not.
    pub fn message(self) -> Result<MessageRow, StoreError> {
        match self {
            Self::Message(row) => Ok(*row),
            Self::Change(_) => Err(StoreError::Corrupt("a change where a message must be".to_owned())),
        }
    }
}

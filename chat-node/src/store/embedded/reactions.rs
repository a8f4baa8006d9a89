//! Reactions: one row for each message, emoji and user, counted when read.

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::tables::REACTIONS;
use crate::ids::{MessageId, Position, UserId};
use crate::protocol::emoji::Emoji;
use crate::protocol::message::ReactionCount;
use crate::store::StoreError;

/// Sorts after every user id.
const AFTER_ALL: &str = "\u{10ffff}";

/// Notes whose reaction is there or not, unless a later change is noted.
pub(super) fn fold(
    tx: &WriteTransaction,
    (message, emoji, user): (MessageId, &Emoji, &UserId),
    (position, on): (Position, bool),
) -> Result<(), StoreError> {
    let (mut table, key) = (tx.open_table(REACTIONS)?, (message.0, emoji.as_str(), user.as_str()));
    let last = table.get(key)?.map_or(0, |row| row.value().0);
    if last < position.0 {
        table.insert(key, (position.0, on))?;
    }
    Ok(())
}

/// Removes all reactions to a message.
pub(super) fn remove(tx: &WriteTransaction, message: MessageId) -> Result<(), StoreError> {
    let mut table = tx.open_table(REACTIONS)?;
    table.retain_in((message.0, "", "")..(message.0.saturating_add(1), "", ""), |_, _| false)?;
    Ok(())
}

pub(super) fn counts(
    tx: &ReadTransaction,
    messages: &[MessageId],
    viewer: &UserId,
) -> Result<Vec<(MessageId, Vec<ReactionCount>)>, StoreError> {
    let table = tx.open_table(REACTIONS)?;
    let mut found = Vec::new();
    for message in messages {
        let mut counts: Vec<ReactionCount> = Vec::new();
        for row in table.range((message.0, "", "")..(message.0.saturating_add(1), "", ""))? {
            let (key, row) = row?;
            let ((_, emoji, user), (_, on)) = (key.value(), row.value());
            if on {
                count(&mut counts, parse(emoji)?, user == viewer.as_str());
            }
        }
        if !counts.is_empty() {
            found.push((*message, counts));
        }
    }
    Ok(found)
}

/// Counts one more; rows of one emoji follow one another.
fn count(counts: &mut Vec<ReactionCount>, emoji: Emoji, me: bool) {
    match counts.last_mut() {
        Some(last) if last.emoji == emoji => {
            last.count += 1;
            last.me |= me;
        }
        _ => counts.push(ReactionCount { emoji, count: 1, me }),
    }
}

pub(super) fn reactors(
    tx: &ReadTransaction,
    message: MessageId,
    emoji: &Emoji,
    (after, limit): (Option<&UserId>, u16),
) -> Result<Vec<UserId>, StoreError> {
    let table = tx.open_table(REACTIONS)?;
    let first = (message.0, emoji.as_str(), after.map_or("", UserId::as_str));
    let mut found = Vec::new();
    for row in table.range(first..(message.0, emoji.as_str(), AFTER_ALL))? {
        let (key, row) = row?;
        let user = key.value().2;
        if !row.value().1 || after.is_some_and(|after| after.as_str() == user) {
            continue;
        }
        found.push(user.parse().map_err(|error| StoreError::Corrupt(format!("a reaction: {error}")))?);
        if found.len() == usize::from(limit) {
            break;
        }
    }
    Ok(found)
}

fn parse(emoji: &str) -> Result<Emoji, StoreError> {
    emoji.parse().map_err(|error| StoreError::Corrupt(format!("a reaction: {error}")))
}

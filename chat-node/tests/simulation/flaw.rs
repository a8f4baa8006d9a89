//! Mistakes that are made on purpose: whoever checks must find them.

use chat_node::protocol::message::Entry;

use crate::model::Tables;

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A reader's seal replaces what is at the position: there is no unique index.
    SealsReplace,
    /// A writer that comes late replaces the seal at its position.
    LateWritersReplace,
    /// A node tells the others of what it is about to store.
    TellsBeforeStoring,
    /// Every node gets the same server id.
    OneServerId,
    /// A nonce that is known is stored again.
    NoncesRepeat,
}

impl Flaw {
    pub fn before_insert(self, entry: &Entry, tables: &mut Tables) {
        match (self, entry) {
            (Self::SealsReplace, Entry::Void { channel_id, position }) => {
                tables.forget(*channel_id, *position)
            }
            (Self::LateWritersReplace, Entry::Message(message)) => {
                let there = tables.entry(message.channel_id, message.position);
                if matches!(there, Some(Entry::Void { .. })) {
                    tables.forget(message.channel_id, message.position);
                }
            }
            (Self::NoncesRepeat, Entry::Message(message)) => tables.forget_nonce(message),
            _ => {}
        }
    }

    pub fn before_write(self, call: &str, tables: &mut Tables) {
        if self == Self::OneServerId && call == "lease_acquire" {
            tables.free_lease(0);
        }
    }
}

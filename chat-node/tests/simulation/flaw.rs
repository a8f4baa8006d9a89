//! Mistakes that are made on purpose: whoever checks must find them.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A reader's seal replaces what is at the position.
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

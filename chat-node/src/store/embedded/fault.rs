//! What the database's errors mean to the store's callers.

use crate::store::StoreError;

macro_rules! faults {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                meaning(error.into())
            }
        }
    )*};
}

faults!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);

fn meaning(error: redb::Error) -> StoreError {
    match error {
        redb::Error::Corrupted(_) | redb::Error::TableTypeMismatch { .. } => {
            StoreError::Corrupt(error.to_string())
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// A row that does not read as what was written.
pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt(format!("{what}: {error}"))
}

/// A row that another row points to, but that is not there.
pub(super) fn missing(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} is missing"))
}

//! What the errors of calls mean.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use super::calls::DEADLINE;
use crate::store::StoreError;

/// A unique index, or `_id`, already has the key.
pub(super) const DUPLICATE_KEY: i32 = 11000;
const NO_COLLECTION: i32 = 26;
/// Writers of one key have blocked each other, and the `DocumentDB` engine has refused one of them. It takes a second to
/// see that; whoever comes back at once blocks the others anew.
pub(super) const DEADLOCK: i32 = 16_908_292;
/// The server is not, or no longer, the one that writes; or it lost a connection of its own; or two writes met.
/// By code: internal (what stands behind a compatible server has died), host unreachable or not found, unknown, lock timeout, network timeout, time limit, write concern timeout,
/// shutdown, write conflict, stepping down, too many connections, socket, not primary, and the `DocumentDB`
/// engine's deadlock.
const TRANSIENT: [i32; 21] = [
    1, 6, 7, 8, 24, 50, 64, 89, 91, 112, 189, 262, 290, 9001, 10107, 11600, 11602, 13435, 13436, 10058,
    DEADLOCK,
];

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    Driver(Error),
    /// No answer came within the deadline; what the call does may still happen.
    Late,
}

/// How often a call that has failed so is repeated.
pub(super) fn repetitions(error: &Error) -> u32 {
    match &*error.kind {
        // Without a server to select there is none for the second try either.
        ErrorKind::ServerSelection { .. } => 0,
        _ if is_deadlock(error) => 4,
        _ => is_transient(error).into(),
    }
}

/// Whether writers of one key have blocked each other.
pub(super) fn is_deadlock(error: &Error) -> bool {
    code(error) == Some(DEADLOCK)
}

impl Failure {
    /// Whether the write met a unique key that exists.
    pub fn is_duplicate(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        match &*error.kind {
            ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
            ErrorKind::Command(error) => error.code == DUPLICATE_KEY,
            _ => false,
        }
    }

    /// Whether it asked about a collection that is not there.
    pub fn is_no_collection(&self) -> bool {
        matches!(self, Self::Driver(error) if code(error) == Some(NO_COLLECTION))
    }

    /// Whether the same call may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Driver(error) => is_transient(error),
            Self::Late => true,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let transient = failure.is_transient();
        let Failure::Driver(error) = failure else {
            return Self::Unavailable(format!("no answer within {} s", DEADLINE.as_secs()));
        };
        let reason = error.kind.to_string();
        match &*error.kind {
            ErrorKind::ServerSelection { message, .. } => Self::Unavailable(unreachable(message)),
            _ if transient => Self::Unavailable(reason),
            ErrorKind::BsonDeserialization(_) | ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => {
                Self::Corrupt(reason)
            }
            _ => Self::Refused(reason),
        }
    }
}

/// The cause in the driver's description of all servers, which is too long to be read.
fn unreachable(description: &str) -> String {
    let cause = description.split_once("Error: Kind: ").map(|(_, rest)| rest);
    let cause = cause.and_then(|rest| rest.split_once(", labels:")).map(|(cause, _)| cause);
    format!("none of its servers can be reached: {}", cause.unwrap_or(description))
}

/// Whether the server can be expected to take the call a moment later. Its outcome may be unknown.
fn is_transient(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. } => true,
        _ => code(error).is_some_and(|code| TRANSIENT.contains(&code)),
    }
}

/// The code that the server gave; those of single entries of an insert are not looked at here.
fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        ErrorKind::InsertMany(error) => error.write_concern_error.as_ref().map(|error| error.code),
        _ => None,
    }
}

//! What a client is told when something is refused: one table of codes for frames and REST, one of close codes.
//! `PROTOCOL.md` shows both; a test keeps them equal.

use std::time::Duration;

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! error_codes {
    ($($variant:ident, $code:literal, $status:literal, $meaning:literal;)*) => {
        /// Why a command or a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// All of them, in the order of `PROTOCOL.md`.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as clients see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it means, as a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

error_codes! {
    Malformed, "malformed", 400, "The frame or body cannot be read; the message says where.";
    UnknownOp, "unknown_op", 400, "The frame's `op` is none that this server knows.";
    InvalidContent, "invalid_content", 400, "A message's content is empty or too long, or something else of it is out of its bounds; the message says what.";
    InvalidNonce, "invalid_nonce", 400, "A nonce is empty or too long.";
    InvalidName, "invalid_name", 400, "A shown name is empty, too long or holds control characters.";
    InvalidRecipient, "invalid_recipient", 400, "A direct channel needs another user than yourself.";
    Unauthorized, "unauthorized", 401, "The token is absent, expired or not signed by a known key.";
    NotFound, "not_found", 404, "There is nothing at this address.";
    MethodNotAllowed, "method_not_allowed", 405, "This address does not have this method; the header `allow` names those that it has.";
    UnsupportedMediaType, "unsupported_media_type", 415, "The body is not said to be JSON.";
    Forbidden, "forbidden", 403, "You may not do this here.";
    UnknownChannel, "unknown_channel", 404, "There is no such channel, or it is not yours.";
    UnknownGroup, "unknown_group", 404, "There is no such group, or you are not in it.";
    UnknownMessage, "unknown_message", 404, "There is no such message in this channel, or it is deleted.";
    UnknownUser, "unknown_user", 404, "There is no user with this id, or they have never signed in.";
    TooMany, "too_many", 409, "There are as many of these as there may be; the message says how many.";
    TooLarge, "too_large", 413, "The body is larger than the server takes.";
    SlowMode, "slow_mode", 429, "The channel is in slow mode; try again after the stated time.";
    RateLimited, "rate_limited", 429, "Too many commands; try again after the stated time.";
    TooManyConnections, "too_many_connections", 429, "This user or this address has too many connections to this node; close one.";
    Internal, "internal", 500, "The server failed; its log says why.";
    Unavailable, "unavailable", 503, "The store does not answer, or others keep changing the same thing; try again after the stated time, with the same nonce.";
    Timeout, "timeout", 504, "The request took too long; it may have been done or not.";
    NodeFull, "node_full", 503, "This node takes no more connections; try again.";
}

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let codes = Self::ALL.iter().map(|code| code.as_str());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes)).into()
    }
}

impl ToSchema for ErrorCode {}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A refusal as a client sees it, in a frame or as a problem document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// For programs.
    pub code: ErrorCode,
    /// For people: the thing, the reason, the next step.
    pub message: String,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// A refusal that another try will not change.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// A refusal that another try after `retry_after` may change.
    pub fn retry(code: ErrorCode, message: impl Into<String>, retry_after: Duration) -> Self {
        Self { code, message: message.into(), retry_after: Some(retry_after) }
    }
}

/// What a client should do after its connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterClose {
    /// Connect again, to any node, with the same token and the cursors.
    Resume,
    /// Connect again with a new token.
    NewToken,
    /// Change the client first.
    Stop,
}

impl AfterClose {
    /// As `PROTOCOL.md` says it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Resume => "connect again with cursors",
            Self::NewToken => "connect again with a new token",
            Self::Stop => "do not connect again",
        }
    }
}

macro_rules! close_reasons {
    ($($variant:ident, $code:literal, $text:literal, $after:ident;)*) => {
        /// Why the server closes a connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum CloseReason {
            $(#[doc = $text] $variant,)*
        }

        impl CloseReason {
            /// All of them, in the order of `PROTOCOL.md`.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The WebSocket close code.
            pub fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The text beside the close code; also the metric's label.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What the client should do next.
            pub fn after(self) -> AfterClose {
                match self { $(Self::$variant => AfterClose::$after,)* }
            }
        }
    };
}

close_reasons! {
    TooLarge, 1009, "frame too large", Stop;
    Restart, 1012, "node is going away", Resume;
    NotText, 4002, "only text frames are understood", Stop;
    NotIdentified, 4003, "identify first", Stop;
    BadToken, 4004, "token refused", NewToken;
    AlreadyIdentified, 4005, "identified twice", Stop;
    IdentifyTimeout, 4006, "no identify in time", Resume;
    TooManyConnections, 4007, "too many connections of this user", Stop;
    Slow, 4008, "client reads too slowly", Resume;
    HeartbeatTimeout, 4009, "no heartbeat in time", Resume;
    Flooding, 4010, "too many refused commands", Resume;
    TokenExpired, 4011, "token expired", NewToken;
    Unavailable, 4012, "the store does not answer", Resume;
}

impl CloseReason {
    /// The same to a client that has no connection, as the answer to its request.
    pub fn problem(self) -> Problem {
        let (code, retry_after) = match self {
            Self::TooLarge => (ErrorCode::TooLarge, None),
            Self::NotText | Self::AlreadyIdentified => (ErrorCode::Malformed, None),
            Self::NotIdentified | Self::BadToken | Self::TokenExpired => (ErrorCode::Unauthorized, None),
            Self::TooManyConnections => (ErrorCode::TooManyConnections, Some(Duration::from_secs(5))),
            Self::Flooding => (ErrorCode::RateLimited, Some(Duration::from_secs(5))),
            Self::Restart => (ErrorCode::NodeFull, Some(Duration::from_secs(1))),
            Self::IdentifyTimeout | Self::Slow | Self::HeartbeatTimeout | Self::Unavailable => {
                // Spread, so that all clients do not come back at once.
                (ErrorCode::Unavailable, Some(Duration::from_millis(fastrand::u64(1_000..5_000))))
            }
        };
        Problem { code, message: self.text().to_owned(), retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOL: &str = include_str!("../PROTOCOL.md");

    #[test]
    fn the_protocol_document_lists_every_error_code() {
        for code in ErrorCode::ALL {
            let row = format!("| `{}` | {} | {} |", code.as_str(), code.status(), code.meaning());
            assert!(PROTOCOL.contains(&row), "PROTOCOL.md lacks the row\n{row}");
        }
    }

    #[test]
    fn the_protocol_document_lists_every_close_code() {
        for reason in CloseReason::ALL {
            let row = format!("| {} | {} | {} |", reason.code(), reason.text(), reason.after().advice());
            assert!(PROTOCOL.contains(&row), "PROTOCOL.md lacks the row\n{row}");
        }
    }
}

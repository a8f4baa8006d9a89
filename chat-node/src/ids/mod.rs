//! Identities. All numbers are strings in JSON, as many clients cannot hold 64 bits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod channel_set;
pub mod lease;
pub mod skew;
pub mod snowflake;

pub use self::channel_set::ChannelSet;

/// The text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}")]
pub struct InvalidId {
    what: &'static str,
    text: String,
}

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, pattern = "^[0-9]{1,19}$")]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text.parse() {
                    Ok(number) if number <= i64::MAX as u64 => Ok(Self(number)),
                    _ => Err(InvalidId { what: $what, text: text.chars().take(32).collect() }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

numeric_id! {
    /// A message: a snowflake, 41 bit ms since 2025-01-01, 10 bit server id, 12 bit counter. Positive as an `i64`.
    MessageId, "message id"
}
numeric_id! {
    /// A channel: a snowflake too, but for [`ChannelId::OFFICIAL`].
    ChannelId, "channel id"
}
numeric_id! {
    /// A place in a channel's log: 1, 2, 3 … without holes. 0 is before the first.
    Position, "position"
}

numeric_id! {
    /// A group of users: a snowflake too, but for [`GroupId::OFFICIAL`].
    GroupId, "group id"
}

impl ChannelId {
    /// The first channel of the official group.
    pub const OFFICIAL: Self = Self(1);
}

impl GroupId {
    /// The group that everyone is a member of.
    pub const OFFICIAL: Self = Self(1);
}

/// How often a group has changed: its settings, channels, roles or members. What is stored in a channel carries the
/// version of the last change that concerned who may use the channel; 0 in channels without a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessVersion(pub u64);

/// How often something was written that is replaced as a whole; 0: never. A write names the revision that it was made
/// from, so that one that comes late finds another and does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The one that a write from this one makes.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Whether this is the first one; so it is not stored.
    pub fn is_first(&self) -> bool {
        self.0 == 0
    }
}

impl Position {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A node's leased number, 0..=1023, part of every id it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(u16);

impl ServerId {
    /// How many there are.
    pub const COUNT: u16 = 1024;

    /// The number as an id; `None` from [`Self::COUNT`] on.
    pub fn new(number: u16) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A user: the `sub` claim of their token. 1 to 64 of `A-Z a-z 0-9 _ . @ : -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9_.@:-]{1,64}$")]
pub struct UserId(std::sync::Arc<str>);

impl UserId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@:-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId { what: "user id", text: text.chars().take(32).collect() })
        }
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! What a token says.

use serde::{Deserialize, Serialize};

use super::TokenError;
use crate::ids::UserId;
use crate::limits::is_name;
use crate::protocol::message::User;

/// Who a token belongs to, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub user: User,
    /// When it ends, in s since the Unix epoch.
    pub expires_s: u64,
}

/// The claims of a token whose signature, times, issuer and audience are good.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: String,
    /// A number of seconds, maybe with a fraction (RFC 7519 §2).
    exp: f64,
    name: Option<String>,
}

/// The claims of a token that this node signs.
#[derive(Serialize)]
pub(super) struct Signed<'a> {
    pub sub: &'a str,
    pub exp: u64,
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<&'a str>,
}

impl Claims {
    pub(super) fn identity(self) -> Result<Identity, TokenError> {
        let id: UserId = self.sub.parse().map_err(|error| TokenError::Claim(format!("`sub`: {error}")))?;
        let name = self.name.unwrap_or_else(|| id.to_string());
        if !is_name(&name) {
            return Err(TokenError::Claim("`name` is not 1 to 64 printable characters".to_owned()));
        }
        // The cast keeps within bounds: what is less than 0 has expired, what is more is far enough.
        Ok(Identity { user: User { id, name }, expires_s: self.exp as u64 })
    }
}

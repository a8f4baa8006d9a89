//! Tokens as a sign-in service would issue them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::json;

/// How long a token is valid.
const LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Who signs in.
#[derive(Clone, Debug)]
pub struct User {
    /// The `sub` claim.
    pub id: String,
    /// The shown name.
    pub name: String,
}

impl User {
    /// A user.
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned() }
    }
}

/// The HS256 key of a chat cluster.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// The key with these bytes, as they stand in the Secret.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// A JWT for `user`, valid for a day.
    pub fn token(&self, user: &User) -> Result<String> {
        let expires = (SystemTime::now().duration_since(UNIX_EPOCH)? + LIFE).as_secs();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = json!({ "sub": user.id, "name": user.name, "exp": expires });
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        Ok(format!("{signed}.{signature}"))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

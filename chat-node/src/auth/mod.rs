//! Who a token belongs to: JSON Web Tokens (RFC 7519) with HS256.

mod hs256;

use std::fmt;
use std::time::Duration;

use crds::node::AuthConfig;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::limits::is_name;
use crate::protocol::message::User;

/// Fewest bytes of a signing key: as many as the signature has (RFC 7518 §3.2).
pub const KEY_BYTES_MIN: usize = 32;
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How far the clocks of issuer and node may differ.
const LEEWAY_SECONDS: u64 = 10;

/// The secret that signs tokens. Never shown.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

/// The key is shorter than [`KEY_BYTES_MIN`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing key has {0} bytes; it needs at least {KEY_BYTES_MIN}")]
pub struct ShortKey(usize);

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes for a signing key")]
pub struct NoRandomness;

impl SigningKey {
    /// A key of these bytes.
    ///
    /// # Errors
    /// [`ShortKey`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, ShortKey> {
        if bytes.len() < KEY_BYTES_MIN { Err(ShortKey(bytes.len())) } else { Ok(Self(bytes)) }
    }

    /// A key that nobody has had before.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        let random = ring::rand::generate::<[u8; KEY_BYTES_MIN]>(&ring::rand::SystemRandom::new());
        random.map(|bytes| Self(bytes.expose().to_vec())).map_err(|_| NoRandomness)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// Checks tokens, and signs them for the development login.
pub struct Tokens {
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    config: AuthConfig,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub user: User,
    /// When it ends, in s since the Unix epoch.
    pub expires_s: u64,
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has ended.
    #[error("it has expired")]
    Expired,
    /// It is not signed with the key of this cluster.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is absent or not what is asked for.
    #[error("{0}")]
    Claim(String),
    /// It is no token at all.
    #[error("it is not a JSON Web Token with HS256")]
    Form,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    aud: Option<String>,
}

impl Tokens {
    /// Tokens signed with `key` that say what `config` asks for.
    pub fn new(key: &SigningKey, config: &AuthConfig) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = config.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &config.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &config.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Self {
            decoding: DecodingKey::from_secret(&key.0),
            encoding: EncodingKey::from_secret(&key.0),
            validation,
            config: config.clone(),
        }
    }

    /// Whose a token is.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Form);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| token_error(error.kind()))?
            .claims;
        let id: UserId = claims.sub.parse().map_err(|error| TokenError::Claim(format!("`sub`: {error}")))?;
        let name = claims.name.unwrap_or_else(|| id.to_string());
        if !is_name(&name) {
            return Err(TokenError::Claim("`name` is not 1 to 64 printable characters".to_owned()));
        }
        Ok(Identity { user: User { id, name }, expires_s: claims.exp })
    }

    /// A token for `user` that ends `lifetime` after `now_s` (s since the Unix epoch).
    ///
    /// # Errors
    /// [`TokenError::Form`]: it could not be signed.
    pub fn sign(&self, user: &User, now_s: u64, lifetime: Duration) -> Result<String, TokenError> {
        let claims = Claims {
            sub: user.id.to_string(),
            exp: now_s + lifetime.as_secs(),
            name: Some(user.name.clone()),
            iss: self.config.issuer.clone(),
            aud: self.config.audience.clone(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|_| TokenError::Form)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("config", &self.config).finish_non_exhaustive()
    }
}

fn token_error(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::MissingRequiredClaim(claim) => TokenError::Claim(format!("`{claim}` is missing")),
        ErrorKind::InvalidIssuer => TokenError::Claim("`iss` is not the issuer that is asked for".to_owned()),
        ErrorKind::InvalidAudience => {
            TokenError::Claim("`aud` is not the audience that is asked for".to_owned())
        }
        ErrorKind::ImmatureSignature => TokenError::Claim("`nbf` lies in the future".to_owned()),
        _ => TokenError::Form,
    }
}

#[cfg(test)]
mod tests;

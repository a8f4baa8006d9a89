//! Who a token belongs to: JSON Web Tokens (RFC 7519) with HS256, EdDSA, ES256 or RS256. A key is for one algorithm, so
//! a token cannot choose how it is checked.

mod claims;
mod crypto;
pub mod jwks;
pub mod keys;
mod secret;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crds::node::AuthConfig;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation};

pub use self::claims::Identity;
use self::claims::{Claims, Signed};
use self::jwks::Jwks;
use self::keys::Key;
pub use self::keys::Keys;
pub use self::secret::{KEY_BYTES_MIN, NoRandomness, ShortKey, SigningKey};
use crate::protocol::message::User;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How far the clocks of issuer and node may differ.
const LEEWAY_SECONDS: u64 = 10;
/// Most keys that a token without a key's name is tried with.
const TRIES_MAX: usize = 8;

/// Checks tokens, and signs them for the development login.
pub struct Tokens {
    source: Source,
    validation: Validation,
    config: AuthConfig,
}

enum Source {
    Fixed(Arc<Keys>),
    Fetched(Jwks),
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
    /// It names a key that this cluster does not have.
    #[error("the key that it is signed with is not known here")]
    UnknownKey,
    /// Its header asks for what is not understood, or for another algorithm than the key has.
    #[error("its algorithm is not that of the key")]
    Algorithm,
    /// A claim is absent or not what is asked for.
    #[error("{0}")]
    Claim(String),
    /// It is no token at all.
    #[error("it is not a JSON Web Token with HS256, EdDSA, ES256 or RS256")]
    Form,
    /// The keys of this node only verify.
    #[error("this node has no key to sign with")]
    CannotSign,
}

impl Tokens {
    /// Tokens signed with one of `keys` that say what `config` asks for.
    pub fn new(keys: impl Into<Keys>, config: &AuthConfig) -> Self {
        Self::from(Source::Fixed(Arc::new(keys.into())), config)
    }

    /// Tokens signed with one of the keys that are fetched from the issuer.
    pub fn fetched(jwks: Jwks, config: &AuthConfig) -> Self {
        Self::from(Source::Fetched(jwks), config)
    }

    fn from(source: Source, config: &AuthConfig) -> Self {
        crypto::install();
        Self { source, validation: validation(config), config: config.clone() }
    }

    /// Whose a token is, by the keys that are there.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        verify(token, &self.keys(), &self.validation)
    }

    /// Whose a token is. The keys of a token whose key is not known are fetched anew, if that was not tried just now;
    /// takes no longer than [`jwks::FETCH_WITHIN`].
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn identify(&self, token: &str) -> Result<Identity, TokenError> {
        match (self.verify(token), &self.source) {
            (Err(TokenError::UnknownKey), Source::Fetched(jwks)) => {
                jwks.look_again().await;
                self.verify(token)
            }
            (verified, _) => verified,
        }
    }

    /// A token for `user` that ends `lifetime` after `now_s` (s since the Unix epoch).
    ///
    /// # Errors
    /// [`TokenError::CannotSign`].
    pub fn sign(&self, user: &User, now_s: u64, lifetime: Duration) -> Result<String, TokenError> {
        let keys = self.keys();
        let key = keys.signing.as_ref().ok_or(TokenError::CannotSign)?;
        let claims = Signed {
            sub: user.id.as_str(),
            exp: now_s + lifetime.as_secs(),
            name: &user.name,
            iss: self.config.issuer.as_deref(),
            aud: self.config.audience.as_deref(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, key).map_err(|_| TokenError::CannotSign)
    }

    fn keys(&self) -> Arc<Keys> {
        match &self.source {
            Source::Fixed(keys) => Arc::clone(keys),
            Source::Fetched(jwks) => jwks.keys(),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Whose a token is.
fn verify(token: &str, keys: &Keys, validation: &Validation) -> Result<Identity, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Form);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Form)?;
    if header.crit.is_some() {
        // Whoever does not understand every extension that is critical must refuse (RFC 7515 §4.1.11).
        return Err(TokenError::Algorithm);
    }
    let mut why = TokenError::Algorithm;
    for key in candidates(keys, header.kid.as_deref())?.into_iter().take(TRIES_MAX) {
        match decode(token, key, validation) {
            Err(TokenError::Signature) => why = TokenError::Signature,
            Err(TokenError::Algorithm) => {}
            decided => return decided,
        }
    }
    Err(why)
}

/// The keys that may have signed: those of this name, else those without one.
fn candidates<'a>(keys: &'a Keys, named: Option<&str>) -> Result<Vec<&'a Key>, TokenError> {
    let candidates: Vec<_> = match named {
        Some(name) if keys.iter().any(|key| key.id.as_deref() == Some(name)) => {
            keys.iter().filter(|key| key.id.as_deref() == Some(name)).collect()
        }
        Some(_) => keys.iter().filter(|key| key.id.is_none()).collect(),
        None => keys.iter().collect(),
    };
    if candidates.is_empty() { Err(TokenError::UnknownKey) } else { Ok(candidates) }
}

fn decode(token: &str, key: &Key, validation: &Validation) -> Result<Identity, TokenError> {
    let validation = Validation { algorithms: vec![key.algorithm], ..validation.clone() };
    let decoded = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation);
    decoded.map_err(|error| token_error(error.kind()))?.claims.identity()
}

fn validation(config: &AuthConfig) -> Validation {
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
    validation
}

fn token_error(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
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

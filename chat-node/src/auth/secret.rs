//! The secret that signs and verifies tokens with HS256.

use std::fmt;

/// Fewest bytes of a signing key: as many as the signature has (RFC 7518 §3.2).
pub const KEY_BYTES_MIN: usize = 32;

/// The secret that signs tokens. Never shown.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

/// The key is shorter than [`KEY_BYTES_MIN`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing key has {0} bytes; it needs at least {KEY_BYTES_MIN}")]
pub struct ShortKey(pub(super) usize);

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

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

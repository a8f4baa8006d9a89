//! The keys that tokens are verified with. Each is for one algorithm, whatever a token says.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use serde::Deserialize;

use super::secret::{KEY_BYTES_MIN, SigningKey};

/// Most keys of one set.
pub const KEYS_MAX: usize = 64;
/// What an Ed25519 public key of 32 bytes has before it in DER (RFC 8410 §4).
const ED25519_DER_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const ED25519_BYTES: usize = 32;
/// An uncompressed point of P-256 (SEC 1 §2.3.3).
const P256_POINT_BYTES: usize = 65;

/// One key and the one algorithm that it is for.
#[derive(Clone)]
pub struct Key {
    /// Its name in tokens.
    pub id: Option<String>,
    /// What it verifies.
    pub algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// Keys of which any may have signed a token. Never shown.
#[derive(Clone, Default)]
pub struct Keys {
    all: Vec<Key>,
    pub(super) signing: Option<EncodingKey>,
}

/// Why a text holds no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no public key in PEM.
    #[error("it is neither a JWK nor an Ed25519 public key in PEM (-----BEGIN PUBLIC KEY-----)")]
    NotPem,
    /// It is no key set.
    #[error("it is no JSON Web Key Set: {0}")]
    NotSet(String),
    /// It is none of the keys that are understood.
    #[error("it is no key for EdDSA (Ed25519), ES256 (P-256), RS256 (RSA) or HS256 (at least 32 bytes)")]
    NotUnderstood,
    /// There are too many.
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
}

/// Whether keys that sign as well as verify belong into a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Only who may sign can read the set.
    Secret,
    /// Anybody can: a symmetric key in it would let anybody sign.
    Public,
}

impl Keys {
    /// Every key.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.all.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds the keys of another set.
    pub fn extend(&mut self, other: Self) {
        self.all.extend(other.all);
        self.signing = self.signing.take().or(other.signing);
    }

    /// The Ed25519 public key in a text: a JWK, or PEM.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn ed25519(text: &str) -> Result<Self, KeyError> {
        let key = if text.trim_start().starts_with('{') {
            let jwk = serde_json::from_str(text).map_err(|_| KeyError::NotUnderstood)?;
            Key::of_jwk(&jwk, Secrecy::Public).filter(|key| key.algorithm == Algorithm::EdDSA)
        } else {
            let point = ed25519_of_pem(text).ok_or(KeyError::NotPem)?;
            Some(Key { id: None, algorithm: Algorithm::EdDSA, decoding: DecodingKey::from_ed_der(&point) })
        };
        let all = vec![key.ok_or(KeyError::NotUnderstood)?];
        Ok(Self { all, signing: None })
    }

    /// The keys of a JSON Web Key Set (RFC 7517 §5). Keys of other kinds and for other uses are passed over.
    ///
    /// # Errors
    /// [`KeyError::NotSet`], [`KeyError::TooMany`], [`KeyError::NotUnderstood`]: none is left.
    pub fn of_set(json: &[u8], secrecy: Secrecy) -> Result<Self, KeyError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|error| KeyError::NotSet(error.to_string()))?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeyError::TooMany);
        }
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let all: Vec<_> = jwks.filter_map(|jwk| Key::of_jwk(&jwk, secrecy)).collect();
        if all.is_empty() { Err(KeyError::NotUnderstood) } else { Ok(Self { all, signing: None }) }
    }
}

impl From<&SigningKey> for Keys {
    fn from(key: &SigningKey) -> Self {
        let decoding = DecodingKey::from_secret(key.bytes());
        let all = vec![Key { id: None, algorithm: Algorithm::HS256, decoding }];
        Self { all, signing: Some(EncodingKey::from_secret(key.bytes())) }
    }
}

impl From<SigningKey> for Keys {
    fn from(key: SigningKey) -> Self {
        Self::from(&key)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.all.iter().map(|key| (key.algorithm, key.id.as_deref()));
        f.debug_list().entries(names).finish()
    }
}

impl Key {
    /// `None`: it is of another kind, for another use, or must not be in such a set.
    fn of_jwk(jwk: &Jwk, secrecy: Secrecy) -> Option<Self> {
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = jwk.common.key_operations.as_deref();
        let may_verify = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        let (algorithm, name) = algorithm_of(&jwk.algorithm)?;
        let is_named_so = jwk.common.key_algorithm.is_none_or(|given| given == name);
        let is_misplaced = algorithm == Algorithm::HS256 && secrecy == Secrecy::Public;
        if !is_for_signatures || !may_verify || !is_named_so || is_misplaced {
            return None;
        }
        let decoding = DecodingKey::from_jwk(jwk).ok().filter(is_whole)?;
        Some(Self { id: jwk.common.key_id.clone(), algorithm, decoding })
    }
}

fn algorithm_of(parameters: &AlgorithmParameters) -> Option<(Algorithm, KeyAlgorithm)> {
    match parameters {
        AlgorithmParameters::RSA(_) => Some((Algorithm::RS256, KeyAlgorithm::RS256)),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Some((Algorithm::ES256, KeyAlgorithm::ES256))
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some((Algorithm::EdDSA, KeyAlgorithm::EdDSA))
        }
        AlgorithmParameters::OctetKey(_) => Some((Algorithm::HS256, KeyAlgorithm::HS256)),
        _ => None,
    }
}

fn is_whole(key: &DecodingKey) -> bool {
    use jsonwebtoken::AlgorithmFamily::{Ec, Ed, Hmac, Rsa};
    match (key.family(), key.kind()) {
        (Hmac, DecodingKeyKind::SecretOrDer(secret)) => secret.len() >= KEY_BYTES_MIN,
        (Ed, DecodingKeyKind::SecretOrDer(point)) => point.len() == ED25519_BYTES,
        (Ec, DecodingKeyKind::SecretOrDer(point)) => point.len() == P256_POINT_BYTES,
        // From 2,048 to 8,192 bits; `ring` takes no others.
        (Rsa, DecodingKeyKind::RsaModulusExponent { n, .. }) => (256..=1_024).contains(&n.len()),
        _ => false,
    }
}

fn ed25519_of_pem(text: &str) -> Option<Vec<u8>> {
    let body =
        text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?.strip_suffix("-----END PUBLIC KEY-----")?;
    let body: String = body.split_whitespace().collect();
    let der = STANDARD.decode(body).ok()?;
    let point = der.strip_prefix(&ED25519_DER_PREFIX)?;
    (point.len() == ED25519_BYTES).then(|| point.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    fn named(set: &str, secrecy: Secrecy) -> Result<Vec<Option<String>>, KeyError> {
        Ok(Keys::of_set(set.as_bytes(), secrecy)?.iter().map(|key| key.id.clone()).collect())
    }

    #[test]
    fn a_public_key_in_pem_and_the_same_as_jwk_are_one() {
        let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"}"#;
        let [pem, jwk] = [PEM, jwk].map(|text| Keys::ed25519(text).unwrap());
        let bytes = |keys: &Keys| keys.all[0].decoding.try_get_as_bytes().unwrap().to_vec();
        assert_eq!(bytes(&pem), bytes(&jwk));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        for text in [
            "",
            "key",
            "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----",
            &PEM.replace("Gb9E", ""),
        ] {
            assert_eq!(Keys::ed25519(text).unwrap_err(), KeyError::NotPem, "{text}");
        }
        let short = r#"{"kty":"OKP","crv":"Ed25519","x":"Gb9E"}"#;
        assert_eq!(Keys::ed25519(short).unwrap_err(), KeyError::NotUnderstood);
    }

    #[test]
    fn keys_of_other_kinds_and_uses_are_passed_over() {
        let set = r#"{"keys":[
            {"kid":"good","kty":"OKP","crv":"Ed25519","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"},
            {"kid":"encrypts","use":"enc","kty":"OKP","crv":"Ed25519","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"},
            {"kid":"signs","key_ops":["sign"],"kty":"OKP","crv":"Ed25519","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"},
            {"kid":"curve","kty":"OKP","crv":"X25519","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"},
            {"kid":"other","alg":"PS256","kty":"RSA","n":"AQAB","e":"AQAB"},
            {"kid":"short","kty":"RSA","n":"AQAB","e":"AQAB"},
            {"kid":"future","kty":"AKP","pub":"x"}, 7
        ]}"#;
        assert_eq!(named(set, Secrecy::Public).unwrap(), [Some("good".to_owned())]);
    }

    #[test]
    fn a_symmetric_key_belongs_only_into_a_secret_set() {
        let set = r#"{"keys":[{"kid":"k","kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
        assert_eq!(named(set, Secrecy::Public), Err(KeyError::NotUnderstood));
        assert_eq!(named(set, Secrecy::Secret).unwrap(), [Some("k".to_owned())]);
        let short = r#"{"keys":[{"kid":"k","kty":"oct","k":"AAAA"}]}"#;
        assert_eq!(named(short, Secrecy::Secret), Err(KeyError::NotUnderstood));
    }

    #[test]
    fn a_set_is_bounded_and_must_be_one() {
        let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; KEYS_MAX + 1].join(","));
        assert_eq!(named(&many, Secrecy::Public), Err(KeyError::TooMany));
        assert!(matches!(named("<html>", Secrecy::Public), Err(KeyError::NotSet(_))));
        assert_eq!(named(r#"{"keys":[]}"#, Secrecy::Public), Err(KeyError::NotUnderstood));
    }

    #[test]
    fn keys_are_never_shown() {
        let mut keys = Keys::from(SigningKey::new(b"0123456789abcdef0123456789abcdef".to_vec()).unwrap());
        keys.extend(Keys::ed25519(PEM).unwrap());
        assert_eq!(format!("{keys:?}"), "[(HS256, None), (EdDSA, None)]");
    }
}

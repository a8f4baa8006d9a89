use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use super::keys::Secrecy;
use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
/// The public half of the Ed25519 key of 32 bytes 7.
pub(super) const ED25519_JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"KID","alg":"EdDSA","use":"sig","x":"6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"}"#;

fn key(byte: u8) -> SigningKey {
    SigningKey::new(vec![byte; KEY_BYTES_MIN]).unwrap()
}

fn now_s() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

pub(super) fn ada() -> User {
    User { id: "ada".parse().unwrap(), name: "Ada".to_owned() }
}

fn config(issuer: Option<&str>, audience: Option<&str>) -> AuthConfig {
    AuthConfig {
        issuer: issuer.map(str::to_owned),
        audience: audience.map(str::to_owned),
        ..AuthConfig::default()
    }
}

fn claims() -> Value {
    json!({"sub": "ada", "name": "Ada", "exp": now_s() + 3_600})
}

/// A token made by hand, with any header and any signature.
fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hmac_with(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    move |message| ring::hmac::sign(&key, message).as_ref().to_vec()
}

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

pub(super) fn eddsa_token(key_id: &str) -> String {
    let header = json!({"alg": "EdDSA", "kid": key_id});
    token(&header, &claims(), |message| ed25519().sign(message).as_ref().to_vec())
}

fn verify_with(set: &Value, token: &str) -> Result<Identity, TokenError> {
    let keys = Keys::of_set(set.to_string().as_bytes(), Secrecy::Secret).unwrap();
    Tokens::new(keys, &AuthConfig::default()).verify(token)
}

fn ed25519_set() -> Value {
    json!({"keys": [serde_json::from_str::<Value>(&ED25519_JWK.replace("KID", "ed")).unwrap()]})
}

fn signed(claims: &Value) -> Result<Identity, TokenError> {
    let encoding = EncodingKey::from_secret(key(1).bytes());
    let tokens = Tokens::new(key(1), &AuthConfig::default());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &encoding).unwrap();
    tokens.verify(&token)
}

#[test]
fn a_signed_token_tells_whose_it_is() {
    let tokens = Tokens::new(key(1), &config(Some("https://issuer"), Some("chat")));
    let now = now_s();
    let token = tokens.sign(&ada(), now, HOUR).unwrap();
    assert_eq!(tokens.verify(&token), Ok(Identity { user: ada(), expires_s: now + 3_600 }));
}

#[test]
fn a_token_of_another_key_is_refused() {
    let token = Tokens::new(key(2), &AuthConfig::default()).sign(&ada(), now_s(), HOUR).unwrap();
    assert_eq!(Tokens::new(key(1), &AuthConfig::default()).verify(&token), Err(TokenError::Signature));
}

#[test]
fn an_expired_token_is_refused() {
    let tokens = Tokens::new(key(1), &AuthConfig::default());
    let token = tokens.sign(&ada(), now_s() - 7_200, HOUR).unwrap();
    assert_eq!(tokens.verify(&token), Err(TokenError::Expired));
}

#[test]
fn times_are_taken_with_a_leeway_of_at_most_a_minute() {
    let now = now_s();
    assert!(signed(&json!({"sub": "ada", "exp": now - 5})).is_ok());
    assert_eq!(signed(&json!({"sub": "ada", "exp": now - 60})), Err(TokenError::Expired));
    assert!(signed(&json!({"sub": "ada", "exp": now + 90, "nbf": now + 5})).is_ok());
    assert!(signed(&json!({"sub": "ada", "exp": now + 90, "nbf": now + 60})).is_err());
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let asked = Tokens::new(key(1), &config(Some("us"), Some("chat")));
    for other in [config(Some("them"), Some("chat")), config(Some("us"), Some("mail")), config(None, None)] {
        let token = Tokens::new(key(1), &other).sign(&ada(), now_s(), HOUR).unwrap();
        assert!(matches!(asked.verify(&token), Err(TokenError::Claim(_))), "{other:?} was taken");
    }
}

#[test]
fn an_audience_that_nobody_asks_for_does_not_matter() {
    let token = Tokens::new(key(1), &config(None, Some("x"))).sign(&ada(), now_s(), HOUR).unwrap();
    assert!(Tokens::new(key(1), &AuthConfig::default()).verify(&token).is_ok());
}

#[test]
fn claims_are_checked() {
    let exp = now_s() + 60;
    let good = signed(&json!({"sub": "ada", "exp": exp as f64 + 0.5})).unwrap();
    assert_eq!((good.user.name.as_str(), good.expires_s), ("ada", exp));
    for bad in [
        json!({"exp": exp}),
        json!({"sub": "ada"}),
        json!({"sub": "a b", "exp": exp}),
        json!({"sub": "ada", "exp": "later"}),
        json!({"sub": "ada", "exp": exp, "name": ""}),
        json!({"sub": "ada", "exp": exp, "name": "a\nb"}),
        json!({"sub": "ada", "exp": exp + 60, "nbf": exp + 30}),
    ] {
        assert!(signed(&bad).is_err(), "{bad} was taken");
    }
}

#[test]
fn a_token_without_signature_is_refused() {
    let none = token(&json!({"alg": "none"}), &claims(), |_| Vec::new());
    let tokens = Tokens::new(key(1), &AuthConfig::default());
    for text in [none.as_str(), "", "a.b.c", &"x".repeat(10_000)] {
        assert_eq!(tokens.verify(text), Err(TokenError::Form), "{text}");
    }
    let unsigned = token(&json!({"alg": "HS256"}), &claims(), |_| Vec::new());
    assert_eq!(tokens.verify(&unsigned), Err(TokenError::Signature));
}

#[test]
fn an_ed25519_key_verifies_what_its_other_half_signed() {
    assert_eq!(verify_with(&ed25519_set(), &eddsa_token("ed")).unwrap().user, ada());
    let other = token(&json!({"alg": "EdDSA"}), &claims(), |message| {
        Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap().sign(message).as_ref().to_vec()
    });
    assert_eq!(verify_with(&ed25519_set(), &other), Err(TokenError::Signature));
}

#[test]
fn a_p256_key_verifies_what_its_other_half_signed() {
    let random = ring::rand::SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "ec", "x": x, "y": y}]});
    let good = token(&json!({"alg": "ES256", "kid": "ec"}), &claims(), |message| {
        pair.sign(&random, message).unwrap().as_ref().to_vec()
    });
    assert_eq!(verify_with(&set, &good).unwrap().user, ada());
    let (message, _) = good.rsplit_once('.').unwrap();
    let zeros = format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64]));
    assert_eq!(verify_with(&set, &zeros), Err(TokenError::Signature));
}

#[test]
fn an_rsa_key_verifies_what_its_other_half_signed() {
    let der: String = include_str!("tests/rsa.der.b64").split_whitespace().collect();
    let pair = RsaKeyPair::from_der(&STANDARD.decode(der).unwrap()).unwrap();
    let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
    let [n, e] = [public.n, public.e].map(|number| URL_SAFE_NO_PAD.encode(number));
    let set = json!({"keys": [{"kty": "RSA", "alg": "RS256", "kid": "rsa", "n": n, "e": e}]});
    let sign = |message: &[u8]| {
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    let good = token(&json!({"alg": "RS256", "kid": "rsa"}), &claims(), sign);
    assert_eq!(verify_with(&set, &good).unwrap().user, ada());
    let as_another = token(&json!({"alg": "PS256", "kid": "rsa"}), &claims(), sign);
    assert!(verify_with(&set, &as_another).is_err());
}

#[test]
fn a_public_key_is_never_taken_for_the_secret_of_an_hmac() {
    let public = ed25519().public_key().as_ref().to_vec();
    for kid in [json!("ed"), Value::Null] {
        let header = json!({"alg": "HS256", "kid": kid});
        let forged = token(&header, &claims(), hmac_with(&public));
        assert_eq!(verify_with(&ed25519_set(), &forged), Err(TokenError::Algorithm));
    }
    // Nor the other way round: a token cannot make a secret be read as a public key.
    let header = json!({"alg": "EdDSA"});
    let other = token(&header, &claims(), |message| ed25519().sign(message).as_ref().to_vec());
    let tokens = Tokens::new(SigningKey::new(public).unwrap(), &AuthConfig::default());
    assert_eq!(tokens.verify(&other), Err(TokenError::Algorithm));
}

#[test]
fn a_key_in_the_header_of_a_token_is_not_looked_at() {
    let jwk: Value = serde_json::from_str(&ED25519_JWK.replace("KID", "mine")).unwrap();
    let header = json!({"alg": "EdDSA", "jwk": jwk, "kid": "mine"});
    let forged = token(&header, &claims(), |message| ed25519().sign(message).as_ref().to_vec());
    let other = json!({"keys": [{"kid": "ours", "kty": "OKP", "crv": "Ed25519",
        "x": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"}]});
    assert_eq!(verify_with(&other, &forged), Err(TokenError::UnknownKey));
}

#[test]
fn an_extension_that_is_critical_is_refused() {
    let header = json!({"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false});
    let critical = token(&header, &claims(), |message| ed25519().sign(message).as_ref().to_vec());
    assert_eq!(verify_with(&ed25519_set(), &critical), Err(TokenError::Algorithm));
}

#[test]
fn a_name_chooses_among_keys_and_keys_without_a_name_fit_all() {
    let mut keys = Keys::of_set(ed25519_set().to_string().as_bytes(), Secrecy::Secret).unwrap();
    assert!(verify(&eddsa_token("other"), &keys, &validation(&AuthConfig::default())).is_err());
    keys.extend(Keys::from(&key(1)));
    let tokens = Tokens::new(keys, &AuthConfig::default());
    assert!(tokens.verify(&eddsa_token("ed")).is_ok());
    let hmac = tokens.sign(&ada(), now_s(), HOUR).unwrap();
    assert!(tokens.verify(&hmac).is_ok());
    let named = token(&json!({"alg": "HS256", "kid": "whatever"}), &claims(), hmac_with(key(1).bytes()));
    assert!(tokens.verify(&named).is_ok());
    let wrongly_named = token(&json!({"alg": "HS256", "kid": "ed"}), &claims(), hmac_with(key(1).bytes()));
    assert_eq!(tokens.verify(&wrongly_named), Err(TokenError::Algorithm));
}

#[test]
fn keys_that_only_verify_do_not_sign() {
    let keys = Keys::of_set(ed25519_set().to_string().as_bytes(), Secrecy::Public).unwrap();
    let tokens = Tokens::new(keys, &AuthConfig::default());
    assert_eq!(tokens.sign(&ada(), now_s(), HOUR), Err(TokenError::CannotSign));
}

#[test]
fn a_short_key_is_refused_and_a_key_is_never_shown() {
    assert_eq!(
        SigningKey::new(vec![0; 31]).unwrap_err().to_string(),
        "the signing key has 31 bytes; it needs at least 32"
    );
    assert_eq!(format!("{:?}", SigningKey::random().unwrap()), "SigningKey");
}

proptest! {
    #[test]
    fn no_text_breaks_the_check(text in ".{0,200}") {
        prop_assert!(Tokens::new(key(1), &AuthConfig::default()).verify(&text).is_err());
    }

    #[test]
    fn no_changed_byte_is_taken(at in 0_usize..150, byte in 0_u8..255) {
        let tokens = Tokens::new(key(1), &AuthConfig::default());
        let good = tokens.sign(&ada(), now_s(), HOUR).unwrap();
        let mut bytes = good.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(changed == good || tokens.verify(&changed).is_err(), "{}", changed);
        }
    }

    #[test]
    fn no_key_set_breaks_the_parser(json in ".{0,300}") {
        let _ = Keys::of_set(json.as_bytes(), Secrecy::Public);
    }
}

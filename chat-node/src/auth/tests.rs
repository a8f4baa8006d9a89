use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn key(byte: u8) -> SigningKey {
    SigningKey::new(vec![byte; KEY_BYTES_MIN]).unwrap()
}

fn now_s() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn ada() -> User {
    User { id: "ada".parse().unwrap(), name: "Ada".to_owned() }
}

fn config(issuer: Option<&str>, audience: Option<&str>) -> AuthConfig {
    AuthConfig { issuer: issuer.map(str::to_owned), audience: audience.map(str::to_owned) }
}

fn signed(claims: &serde_json::Value) -> Result<Identity, TokenError> {
    let tokens = Tokens::new(&key(1), &AuthConfig::default());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &tokens.encoding).unwrap();
    tokens.verify(&token)
}

#[test]
fn a_signed_token_tells_whose_it_is() {
    let tokens = Tokens::new(&key(1), &config(Some("https://issuer"), Some("chat")));
    let now = now_s();
    let token = tokens.sign(&ada(), now, HOUR).unwrap();
    assert_eq!(tokens.verify(&token), Ok(Identity { user: ada(), expires_s: now + 3_600 }));
}

#[test]
fn a_token_of_another_key_is_refused() {
    let token = Tokens::new(&key(2), &AuthConfig::default()).sign(&ada(), now_s(), HOUR).unwrap();
    assert_eq!(Tokens::new(&key(1), &AuthConfig::default()).verify(&token), Err(TokenError::Signature));
}

#[test]
fn an_expired_token_is_refused() {
    let tokens = Tokens::new(&key(1), &AuthConfig::default());
    let token = tokens.sign(&ada(), now_s() - 7_200, HOUR).unwrap();
    assert_eq!(tokens.verify(&token), Err(TokenError::Expired));
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let asked = Tokens::new(&key(1), &config(Some("us"), Some("chat")));
    for other in [config(Some("them"), Some("chat")), config(Some("us"), Some("mail")), config(None, None)] {
        let token = Tokens::new(&key(1), &other).sign(&ada(), now_s(), HOUR).unwrap();
        assert!(matches!(asked.verify(&token), Err(TokenError::Claim(_))), "{other:?} was taken");
    }
}

#[test]
fn an_audience_that_nobody_asks_for_does_not_matter() {
    let token = Tokens::new(&key(1), &config(None, Some("x"))).sign(&ada(), now_s(), HOUR).unwrap();
    assert!(Tokens::new(&key(1), &AuthConfig::default()).verify(&token).is_ok());
}

#[test]
fn claims_are_checked() {
    let exp = now_s() + 60;
    let good = signed(&serde_json::json!({"sub": "ada", "exp": exp})).unwrap();
    assert_eq!(good.user.name, "ada");
    for bad in [
        serde_json::json!({"exp": exp}),
        serde_json::json!({"sub": "ada"}),
        serde_json::json!({"sub": "a b", "exp": exp}),
        serde_json::json!({"sub": "ada", "exp": exp, "name": ""}),
        serde_json::json!({"sub": "ada", "exp": exp, "name": "a\nb"}),
        serde_json::json!({"sub": "ada", "exp": exp + 60, "nbf": exp + 30}),
    ] {
        assert!(signed(&bad).is_err(), "{bad} was taken");
    }
}

#[test]
fn a_token_without_signature_is_refused() {
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9.";
    let tokens = Tokens::new(&key(1), &AuthConfig::default());
    for text in [token, "", "a.b.c", &"x".repeat(10_000)] {
        assert_eq!(tokens.verify(text), Err(TokenError::Form), "{text}");
    }
}

#[test]
fn a_short_key_is_refused_and_a_key_is_never_shown() {
    assert_eq!(SigningKey::new(vec![0; 31]).unwrap_err(), ShortKey(31));
    assert_eq!(format!("{:?}", SigningKey::random().unwrap()), "SigningKey");
}

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::*;
use crate::auth::tests::{ED25519_JWK, ada, eddsa_token};
use crate::auth::{TokenError, Tokens};

/// An issuer on this machine.
#[derive(Clone)]
struct Issuer {
    url: JwksUrl,
    fetches: Arc<AtomicUsize>,
    answer: Arc<Mutex<(StatusCode, String)>>,
}

impl Issuer {
    async fn with(body: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let answer = Arc::new(Mutex::new((StatusCode::OK, body.to_owned())));
        let issuer = Self { url, fetches: Arc::default(), answer };
        let asked = issuer.clone();
        let keys = move || {
            asked.fetches.fetch_add(1, Ordering::SeqCst);
            let answer: Response = asked.answer.lock().unwrap().clone().into_response();
            std::future::ready(answer)
        };
        tokio::spawn(axum::serve(listener, Router::new().route("/keys", get(keys))).into_future());
        issuer
    }

    fn answers(&self, status: StatusCode, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    async fn jwks(&self) -> Result<Jwks, FetchError> {
        Jwks::fetch(&self.url, &metrics()).await
    }
}

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new().unwrap())
}

fn set(key_id: &str) -> String {
    format!(r#"{{"keys":[{}]}}"#, ED25519_JWK.replace("KID", key_id))
}

/// As if the last fetch were long ago.
fn long_ago(jwks: &Jwks) {
    let then = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    *jwks.schedule() = Schedule::fetched(Duration::from_secs(3_600), then);
}

#[tokio::test]
async fn a_token_signed_with_a_new_key_makes_the_node_look_again_once() {
    let issuer = Issuer::with(&set("old")).await;
    let jwks = issuer.jwks().await.unwrap();
    let keeper = tokio::spawn(jwks.clone().keep_fresh());
    let tokens = Tokens::fetched(jwks.clone(), &Default::default());
    assert_eq!(tokens.identify(&eddsa_token("old")).await.unwrap().user, ada());
    assert_eq!(tokens.identify(&eddsa_token("new")).await, Err(TokenError::UnknownKey));
    assert_eq!(issuer.fetches(), 1, "there was a fetch just now");

    issuer.answers(StatusCode::OK, &set("new"));
    long_ago(&jwks);
    let new = eddsa_token("new");
    let many = futures::future::join_all((0..50).map(|_| tokens.identify(&new))).await;
    assert!(many.iter().all(Result::is_ok), "{many:?}");
    assert_eq!(issuer.fetches(), 2, "fifty wait for one fetch");
    assert_eq!(tokens.identify(&eddsa_token("old")).await, Err(TokenError::UnknownKey));
    keeper.abort();
}

#[tokio::test]
async fn a_failed_fetch_leaves_the_keys_as_they_are() {
    let issuer = Issuer::with(&set("old")).await;
    let jwks = issuer.jwks().await.unwrap();
    for (status, body) in
        [(StatusCode::INTERNAL_SERVER_ERROR, set("new")), (StatusCode::OK, r#"{"keys":[]}"#.to_owned())]
    {
        issuer.answers(status, &body);
        jwks.refresh().await;
        assert_eq!(jwks.keys().iter().next().unwrap().id.as_deref(), Some("old"));
    }
    assert!(jwks.schedule().due() <= Instant::now() + Duration::from_secs(2), "it tries again soon");
}

#[tokio::test]
async fn keys_are_fetched_again_when_they_get_old() {
    let issuer = Issuer::with(&set("old")).await;
    let jwks = issuer.jwks().await.unwrap();
    issuer.answers(StatusCode::OK, &set("new"));
    *jwks.schedule() = Schedule::fetched(Duration::ZERO, Instant::now());
    let mut changed = jwks.0.keys.subscribe();
    let keeper = tokio::spawn(jwks.clone().keep_fresh());
    changed.changed().await.unwrap();
    assert_eq!(jwks.keys().iter().next().unwrap().id.as_deref(), Some("new"));
    keeper.abort();
}

#[tokio::test]
async fn what_is_no_key_set_is_refused_with_its_reason() {
    let issuer = Issuer::with("<html>").await;
    assert!(matches!(issuer.jwks().await, Err(FetchError::Keys(_))));
    issuer.answers(StatusCode::FOUND, "");
    assert_eq!(issuer.jwks().await.unwrap_err(), FetchError::Status(302));
    issuer.answers(StatusCode::OK, &" ".repeat(300 * 1024));
    assert_eq!(issuer.jwks().await.unwrap_err(), FetchError::TooLong);
    let nobody: JwksUrl = "http://127.0.0.1:1/keys".parse().unwrap();
    assert!(matches!(Jwks::fetch(&nobody, &metrics()).await, Err(FetchError::Unreachable(_))));
}

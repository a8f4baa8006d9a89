//! The opening handshake (RFC 6455 §4.2) as a part of an HTTP/1.1 request.

use axum::extract::FromRequestParts;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::upgrade::OnUpgrade;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, digest};

use crate::error::{ErrorCode, Problem};

/// Stands behind the client's key before both are hashed (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION: HeaderValue = HeaderValue::from_static("13");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const TO_UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");

/// A client's wish to go on as a WebSocket. As an extractor it refuses requests that have none.
#[derive(Debug)]
pub struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// The answer that grants the wish, and the connection, which is there once the answer is written.
    pub fn accept(self) -> (Response, OnUpgrade) {
        let headers = [(CONNECTION, TO_UPGRADE), (UPGRADE, WEBSOCKET), (SEC_WEBSOCKET_ACCEPT, self.accept)];
        ((StatusCode::SWITCHING_PROTOCOLS, headers).into_response(), self.upgrade)
    }
}

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let asks = has_token(&parts.headers, &CONNECTION, "upgrade")
            && has_token(&parts.headers, &UPGRADE, "websocket");
        if !asks {
            return Err(refusal(
                "this address speaks WebSocket: send `connection: upgrade` and `upgrade: websocket`",
            ));
        }
        if parts.headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
            let mut response = refusal("`sec-websocket-version` must be 13");
            *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, VERSION);
            return Err(response);
        }
        let key = parts.headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
        let accept = key.and_then(|key| accept_of(key.as_bytes()));
        let accept = accept.ok_or_else(|| refusal("`sec-websocket-key` must be 16 bytes in base64"))?;
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| refusal("only HTTP/1.1 connections become WebSockets"))?;
        Ok(Self { accept, upgrade })
    }
}

fn refusal(message: &str) -> Response {
    Problem::new(ErrorCode::Malformed, message).into_response()
}

/// Whether a header's list holds a word, in whatever case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
}

fn is_key(key: &[u8]) -> bool {
    BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

fn accept_of(key: &[u8]) -> Option<HeaderValue> {
    let hash = digest(&SHA1, &[key, GUID.as_bytes()].concat());
    HeaderValue::from_str(&BASE64.encode(hash)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/gateway");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_key_of_the_rfc_is_accepted_as_there() {
        // RFC 6455 §1.3.
        assert_eq!(accept_of(KEY.as_bytes()).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn a_request_that_lacks_something_is_told_what() {
        let whole = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        for (lacks, status) in [
            (Some("connection"), 400),
            (Some("upgrade"), 400),
            (Some("sec-websocket-version"), 426),
            (Some("sec-websocket-key"), 400),
            // Complete, but not on a connection that can be upgraded.
            (None, 400),
        ] {
            let headers: Vec<_> = whole.into_iter().filter(|(name, _)| Some(*name) != lacks).collect();
            let refused = Handshake::from_request_parts(&mut request(&headers), &()).await.unwrap_err();
            assert_eq!(refused.status(), status, "{lacks:?}");
        }
    }
}

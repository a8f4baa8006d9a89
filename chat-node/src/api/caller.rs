//! Who makes a request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Api;
use crate::error::{ErrorCode, Problem};
use crate::protocol::message::User;

/// The user whose token the request bears, and who has not asked for too much.
#[derive(Clone, Debug)]
pub struct Caller(pub User);

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(|| {
            Problem::new(ErrorCode::Unauthorized, "the header `Authorization: Bearer <token>` is missing")
        })?;
        let identity = api.tokens.identify(token.trim()).await.map_err(|error| {
            Problem::new(ErrorCode::Unauthorized, format!("the token is refused: {error}"))
        })?;
        api.rates.admit_user(&identity.user.id)?;
        Ok(Self(identity.user))
    }
}

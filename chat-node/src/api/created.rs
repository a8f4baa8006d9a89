//! The answer to a request that made something.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What was made, and where it is from now on: relative to the request, as a proxy may stand before a node that gives
/// it another path.
#[derive(Clone, Debug)]
pub(super) struct Created<T> {
    pub at: String,
    pub made: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, [(LOCATION, self.at)], Json(self.made)).into_response()
    }
}

//! Refusals as problem documents (RFC 9457).

use axum::body::to_bytes;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ErrorCode, Problem};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Longest refusal in words that is kept as a document's detail, in bytes.
const DETAIL_BYTES: usize = 1024;

/// A problem document.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// What the code means.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The thing, the reason, the next step.
    detail: &'a str,
    /// For programs.
    code: ErrorCode,
    /// When to try again, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, document(&self, status)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        // For the layers around: what was refused, without reading the body again.
        response.extensions_mut().insert(self.code);
        response
    }
}

fn document(problem: &Problem, status: StatusCode) -> axum::Json<serde_json::Value> {
    let retry_after = problem.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    let document = Document {
        title: problem.code.meaning(),
        status: status.as_u16(),
        detail: &problem.message,
        code: problem.code,
        retry_after_ms: retry_after,
    };
    // Strings and numbers only.
    axum::Json(serde_json::to_value(document).unwrap_or_default())
}

/// Makes a problem document of a refusal in words, as the libraries underneath give it. Its status and other headers
/// stay.
pub async fn documented(response: Response) -> Response {
    let status = response.status();
    let is_document = response.extensions().get::<ErrorCode>().is_some();
    if is_document || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = code_of(status);
    let (mut parts, body) = response.into_parts();
    let words = to_bytes(body, DETAIL_BYTES).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let message = if words.is_empty() { code.meaning().to_owned() } else { words.into_owned() };
    let (named, body) = document(&Problem::new(code, message), status).into_response().into_parts();
    parts.headers.extend(named.headers);
    parts.headers.insert(CONTENT_TYPE, PROBLEM_JSON);
    parts.extensions.insert(code);
    Response::from_parts(parts, body)
}

fn code_of(status: StatusCode) -> ErrorCode {
    match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        _ if status.is_client_error() => ErrorCode::Malformed,
        _ => ErrorCode::Internal,
    }
}

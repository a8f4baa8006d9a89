//! What surrounds every request of the chat port: its trace id, its client's rate, its line in the log, and the headers
//! that every answer has.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::address::{ClientAddress, TrustedProxies};
use super::problem::documented;
use super::rate::Rates;
use super::trace::TraceId;
use crate::error::{ErrorCode, Problem};
use crate::ids::ServerId;
use crate::ids::lease::Ids;
use crate::metrics::Metrics;

/// The header that tells which node answered.
pub const SERVER_HEADER: &str = "x-vibetalk-server";
/// The header that tells how the node's log names the request.
pub const TRACE_HEADER: &str = "x-vibetalk-trace";
const TRACEPARENT: &str = "traceparent";

/// What requests are surrounded with.
#[derive(Debug)]
pub struct Surroundings {
    /// The node's server id.
    pub ids: Ids,
    /// Whose word on addresses is believed.
    pub proxies: TrustedProxies,
    /// How much one client may ask.
    pub rates: Arc<Rates>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Surrounds a request. Later layers find its [`TraceId`] and [`ClientAddress`] in its extensions, and their log lines
/// belong to its span.
pub async fn surround(State(around): State<Arc<Surroundings>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let trace = trace_of(request.headers());
    let address = ClientAddress::of(&request, &around.proxies);
    let server_id = around.ids.server_id();
    let span = span(&request, trace, server_id);
    request.extensions_mut().insert(trace);
    request.extensions_mut().insert(address);
    let admitted = around.rates.admit_address(address);
    let answering = async {
        let response = match admitted {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
        let response = documented(response).await;
        note(&response, began.elapsed(), &around.metrics);
        response
    };
    let mut response = answering.instrument(span).await;
    name(response.headers_mut(), trace, server_id);
    response
}

/// The layer that ends a request which takes longer than `limit`.
///
/// # Errors
/// [`ErrorCode::Timeout`].
pub async fn end_after(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    tokio::time::timeout(limit, next.run(request)).await.map_err(|_| {
        let message =
            format!("the request took longer than {} s; it may have been done or not", limit.as_secs());
        Problem::retry(ErrorCode::Timeout, message, Duration::from_secs(1))
    })
}

fn trace_of(headers: &HeaderMap) -> TraceId {
    let given = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    given.and_then(|header| TraceId::of_traceparent(header).ok()).unwrap_or_else(TraceId::random)
}

/// Of the address only the path: parameters may hold what must not be in a log.
fn span(request: &Request, trace: TraceId, server_id: Option<ServerId>) -> Span {
    let (method, path) = (request.method().as_str(), request.uri().path());
    tracing::info_span!("request", server_id = server_id.map(ServerId::get), trace_id = %trace, method, path)
}

fn note(response: &Response, took: Duration, metrics: &Metrics) {
    let (status, took_ms) = (response.status(), took.as_secs_f64() * 1_000.0);
    if let Some(code) = response.extensions().get::<ErrorCode>() {
        metrics.request_refused(*code);
    }
    if status.is_server_error() {
        tracing::warn!(status = status.as_u16(), took_ms, "a request failed");
    } else if status != StatusCode::SWITCHING_PROTOCOLS {
        tracing::debug!(status = status.as_u16(), took_ms, "a request was answered");
    }
}

fn name(headers: &mut HeaderMap, trace: TraceId, server_id: Option<ServerId>) {
    if let Some(id) = server_id {
        headers.insert(SERVER_HEADER, HeaderValue::from(id.get()));
    }
    if let Ok(trace) = HeaderValue::from_str(&trace.to_string()) {
        headers.insert(TRACE_HEADER, trace);
    }
}

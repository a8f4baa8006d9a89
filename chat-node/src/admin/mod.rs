//! What the platform asks: is the node alive, ready, what does it count, what does it say of itself. And the one thing
//! that it orders: which epochs to use.

pub mod status;
pub mod topology;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use crds::NodeReport;
use crds::node::{DRAIN_PATH, REPORT_PATH};
use crds::topology::TOPOLOGY_PATH;

use self::status::Status;
use self::topology::ORDER_BYTES_MAX;

/// Every route of the admin port.
pub fn router(status: Arc<Status>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route(REPORT_PATH, get(report))
        .route(TOPOLOGY_PATH, put(topology::take).layer(DefaultBodyLimit::max(ORDER_BYTES_MAX)))
        .route(DRAIN_PATH, post(drain))
        .with_state(status)
}

async fn ready(State(status): State<Arc<Status>>) -> (StatusCode, String) {
    match status.not_ready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn metrics(State(status): State<Arc<Status>>) -> Response {
    match status.metrics() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn report(State(status): State<Arc<Status>>) -> Json<NodeReport> {
    Json(status.report())
}

/// As SIGTERM; a second order changes nothing.
async fn drain(State(status): State<Arc<Status>>) -> StatusCode {
    tracing::info!("ordered to drain");
    status.order_drain();
    StatusCode::ACCEPTED
}

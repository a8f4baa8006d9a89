//! The long-polling transport: `GET /api/v1/poll` is held until something arrives, answered, and asked again. Nothing
//! is kept between two polls that a third one on another node would need: the cursors travel with the client.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Gateway;
use super::batch::Batch;
use super::driver::answer;
use super::request::{Asked, CursorParameter, Events, WaitParameter};
use super::transport::{Fed, Flushed, Incoming, Transport};
use crate::error::{CloseReason, Problem};
use crate::protocol::codec::Encoded;
use crate::protocol::cursors::Cursors;
use crate::session::{Form, Request};

/// What comes within this time after the first frame goes with it: a busy channel costs a client ten requests a second,
/// not one per message.
const COALESCE: Duration = Duration::from_millis(100);
/// Most frames of one answer.
const FRAMES_MAX: usize = 500;

/// `GET /api/v1/poll`.
pub fn router(gateway: Arc<Gateway>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(poll)).with_state(gateway)
}

/// A page of what happened.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "it is written as text")]
struct Frames {
    /// As over the WebSocket, in order; none if nothing came.
    frames: Vec<serde_json::Value>,
    /// Goes with the next request as it is.
    cursors: String,
}

/// What has happened since the cursors, held back until something has.
#[utoipa::path(get, path = "/api/v1/poll", tag = "gateway", params(CursorParameter, WaitParameter),
    responses((status = 200, body = Frames), Events))]
async fn poll(State(gateway): State<Arc<Gateway>>, asked: Asked) -> Result<Response, Problem> {
    let entered = gateway.enter(asked.address, gateway.limits.poll_bytes)?;
    let mut transport = PollTransport::new(Batch::new(asked.cursors.clone()), gateway.limits.poll_bytes);
    let request = Request { form: Form::Poll(asked.wait), cursors: asked.cursors };
    answer(Arc::clone(&gateway), &mut transport, entered, (asked.identity, request)).await;
    transport.answer()
}

struct PollTransport {
    batch: Batch,
    bytes_max: usize,
    complete_at: Option<Instant>,
    closed: Option<CloseReason>,
}

impl PollTransport {
    fn new(batch: Batch, bytes_max: usize) -> Self {
        Self { batch, bytes_max, complete_at: None, closed: None }
    }

    /// What comes after this is not taken, and its cursor does not move: the next poll brings it.
    fn is_full(&self) -> bool {
        self.batch.bytes() >= self.bytes_max || self.batch.len() >= FRAMES_MAX
    }

    /// Whoever reads too slowly has only to poll again, with the cursors that it gets.
    fn answer(mut self) -> Result<Response, Problem> {
        if let Some(reason) = self.closed.filter(|reason| *reason != CloseReason::Slow)
            && self.batch.is_empty()
        {
            return Err(reason.problem());
        }
        let cursors = self.batch.cursors.to_string();
        let body = format!(r#"{{"frames":{},"cursors":"{cursors}"}}"#, self.batch.take_json());
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        Ok((headers, body).into_response())
    }
}

impl Transport for PollTransport {
    async fn receive(&mut self) -> Incoming {
        match self.complete_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
        Incoming::Gone
    }

    fn feed(&mut self, frame: Encoded) -> Fed {
        if !self.is_full() {
            self.batch.add(frame);
        }
        let now = Instant::now();
        self.complete_at.get_or_insert(now + COALESCE);
        if self.is_full() {
            self.complete_at = Some(now);
        }
        Fed::Room
    }

    fn write(&mut self) -> Flushed {
        Flushed::All
    }

    async fn writable(&mut self) {}

    async fn close(&mut self, reason: CloseReason) {
        self.closed = Some(reason);
    }

    fn begin(&mut self, cursors: Cursors) {
        self.batch.cursors = cursors;
    }
}

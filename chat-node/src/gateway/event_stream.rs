//! The transport of server-sent events: `GET /api/v1/events`. One event is a batch of frames, and its id is all that
//! the client has to say to go on from there, on any node.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tracing::Instrument;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Gateway;
use super::batch::Batch;
use super::driver::answer;
use super::request::{Asked, CursorParameter, Events};
use super::transport::{Fed, Flushed, Incoming, Transport};
use crate::error::{CloseReason, Problem};
use crate::protocol::codec::Encoded;
use crate::protocol::cursors::Cursors;
use crate::session::{Form, Request};

/// Tells NGINX not to hold the stream back.
const NOT_BUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
/// A batch is written when it has this many bytes, even if more is there to write.
const BATCH_BYTES: usize = 32 * 1024;

/// `GET /api/v1/events`.
pub fn router(gateway: Arc<Gateway>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(events)).with_state(gateway)
}

/// What goes from the session to the HTTP connection.
enum Part {
    Text(Bytes),
    Closed(CloseReason),
}

// Answers once the client is let in, or with the reason why it is not.
/// What has happened since the cursors, and then what happens, as server-sent events. The header `last-event-id` goes
/// before `cursors`.
#[utoipa::path(get, path = "/api/v1/events", tag = "gateway", params(CursorParameter),
    responses((status = 200, content_type = "text/event-stream", body = String), Events))]
async fn events(State(gateway): State<Arc<Gateway>>, asked: Asked) -> Result<Response, Problem> {
    let entered = gateway.enter(asked.address, gateway.limits.send_queue_bytes)?;
    let (parts, mut written) = mpsc::channel(1);
    let period = gateway.limits.stream_heartbeat;
    let mut heartbeat = interval_at(tokio::time::Instant::now() + period, period);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut transport =
        StreamTransport { batch: Batch::new(asked.cursors.clone()), parts, heartbeat, comment: false };
    let request = Request { form: Form::Stream, cursors: asked.cursors };
    let driving = Arc::clone(&gateway);
    let answering = async move {
        answer(driving, &mut transport, entered, (asked.identity, request)).await;
    };
    gateway.tracker.spawn(answering.in_current_span());
    match written.recv().await {
        Some(Part::Text(first)) => Ok(response(first, written)),
        Some(Part::Closed(reason)) => Err(reason.problem()),
        None => Err(CloseReason::Restart.problem()),
    }
}

fn response(first: Bytes, written: mpsc::Receiver<Part>) -> Response {
    let rest = stream::unfold(written, |mut written| async move {
        let text = match written.recv().await? {
            Part::Text(text) => text,
            Part::Closed(reason) => closing(reason),
        };
        Some((text, written))
    });
    let first = stream::once(std::future::ready(first));
    let parts = futures::StreamExt::map(futures::StreamExt::chain(first, rest), Ok::<_, Infallible>);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        NOT_BUFFERED,
    ];
    (headers, Body::from_stream(parts)).into_response()
}

/// The last event of a stream. It has no id, so the client's cursors stay.
fn closing(reason: CloseReason) -> Bytes {
    let (code, text) = (reason.code(), reason.text());
    format!("event: close\ndata: {{\"code\":{code},\"reason\":\"{text}\"}}\n\n").into()
}

struct StreamTransport {
    batch: Batch,
    parts: mpsc::Sender<Part>,
    heartbeat: Interval,
    comment: bool,
}

/// The event of a batch. A frame is JSON without line ends, so one line holds it all.
fn event(batch: &mut Batch) -> String {
    let frames = batch.take_json();
    let mut event = String::with_capacity(frames.len() + 64);
    // Writing to a string does not fail.
    let _ = write!(event, "id: {}\ndata: {frames}\n\n", batch.cursors);
    event
}

impl Transport for StreamTransport {
    async fn receive(&mut self) -> Incoming {
        tokio::select! {
            biased;
            () = self.parts.closed() => Incoming::Gone,
            _ = self.heartbeat.tick() => {
                self.comment = true;
                Incoming::Control
            }
        }
    }

    fn feed(&mut self, frame: Encoded) -> Fed {
        self.batch.add(frame);
        if self.batch.bytes() >= BATCH_BYTES { Fed::Full } else { Fed::Room }
    }

    fn write(&mut self) -> Flushed {
        if self.batch.is_empty() && !self.comment {
            return Flushed::All;
        }
        match self.parts.try_reserve() {
            Ok(place) => {
                let text = if self.batch.is_empty() { ":\n\n".to_owned() } else { event(&mut self.batch) };
                self.comment = false;
                place.send(Part::Text(text.into()));
                Flushed::All
            }
            Err(TrySendError::Full(())) => Flushed::Stalled,
            Err(TrySendError::Closed(())) => Flushed::Broken,
        }
    }

    async fn writable(&mut self) {
        // The place is given back, and nobody else takes it.
        let _ = self.parts.reserve().await;
    }

    async fn close(&mut self, reason: CloseReason) {
        while self.write() == Flushed::Stalled {
            self.writable().await;
        }
        // Whoever does not take it is gone.
        let _ = self.parts.send(Part::Closed(reason)).await;
    }

    fn begin(&mut self, cursors: Cursors) {
        self.batch.cursors = cursors;
    }
}

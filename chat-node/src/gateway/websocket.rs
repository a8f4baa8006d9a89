//! The WebSocket transport: axum's socket with small buffers. A default one costs 137 KB per connection.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use tracing::Instrument;

use super::Gateway;
use super::driver::drive;
use super::request::From;
use super::transport::{Gone, Incoming, Transport};
use crate::error::{CloseReason, Problem};
use crate::protocol::codec::Encoded;

const READ_BUFFER_BYTES: usize = 4 * 1024;
const WRITE_BUFFER_BYTES: usize = 8 * 1024;
/// Must hold the write buffer and the largest frame of the server.
const WRITE_BUFFER_MAX_BYTES: usize = 512 * 1024;

/// `GET /gateway`.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/gateway", get(upgrade)).with_state(gateway)
}

async fn upgrade(
    State(gateway): State<Arc<Gateway>>,
    From(address): From,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let entered = gateway.enter(address, gateway.limits.send_queue_bytes)?;
    let (span, tracked) = (tracing::Span::current(), gateway.tracker.token());
    let (failed, connection) = (Arc::clone(&gateway), entered.connection);
    Ok(upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_MAX_BYTES)
        .max_frame_size(gateway.limits.frame_bytes)
        .max_message_size(gateway.limits.frame_bytes)
        .on_failed_upgrade(move |_| failed.hub.connections.remove(connection))
        .on_upgrade(move |socket| {
            async move {
                drive(gateway, WebSocketTransport(socket), entered).await;
                drop(tracked);
            }
            .instrument(span)
        }))
}

struct WebSocketTransport(WebSocket);

impl Transport for WebSocketTransport {
    async fn receive(&mut self) -> Incoming {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text),
            Some(Ok(Message::Binary(_))) => Incoming::Binary,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Incoming::Control,
            Some(Ok(Message::Close(_))) => {
                // The library has put the answer to the close into its buffer.
                let _ = self.0.flush().await;
                Incoming::Gone
            }
            None => Incoming::Gone,
            Some(Err(error)) => broken(&error),
        }
    }

    async fn feed(&mut self, frame: Encoded) -> Result<(), Gone> {
        self.0.feed(Message::Text(frame.into_text())).await.map_err(|_| Gone)
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        self.0.flush().await.map_err(|_| Gone)
    }

    async fn close(&mut self, reason: CloseReason) {
        let frame = CloseFrame { code: reason.code(), reason: reason.text().into() };
        if self.0.send(Message::Close(Some(frame))).await.is_ok() {
            // The client's answer, so that our close frame is not lost to a reset of the TCP connection.
            while let Some(Ok(_)) = self.0.next().await {}
        }
    }
}

/// The library tells a frame that is too large only by its error's words.
fn broken(error: &axum::Error) -> Incoming {
    let text = error.to_string();
    if text.contains("Message too long") { Incoming::Oversize } else { Incoming::Gone }
}

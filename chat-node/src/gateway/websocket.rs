//! The WebSocket transport: frames straight on the TCP connection. While nothing happens it holds no buffer; what is
//! queued is written by the hub's flushers, and the connection's own task only reads.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::FutureExt;
use futures::future::OptionFuture;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tracing::Instrument;

use super::Gateway;
use super::driver::{Entered, drive};
use super::request::From;
use super::transport::{Fed, Incoming, Transport};
use crate::error::CloseReason;
use crate::hub::send_queue::{Flushed, Flusher, Outlet, SendQueue, Sink};
use crate::protocol::codec::Encoded;
use crate::websocket::decoder::{Decoder, Message, Violation};
use crate::websocket::frame::{Frame, Opcode};
use crate::websocket::handshake::Handshake;

/// Bytes that are read at once, into a buffer that all connections of a thread share.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// `GET /gateway`.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/gateway", get(upgrade)).with_state(gateway)
}

async fn upgrade(State(gateway): State<Arc<Gateway>>, From(address): From, handshake: Handshake) -> Response {
    let entered = match gateway.enter(address, gateway.limits.send_queue_bytes) {
        Ok(entered) => entered,
        Err(problem) => return problem.into_response(),
    };
    let (response, upgrade) = handshake.accept();
    // Combined like this, nothing of the beginning is kept for as long as the client stays.
    let serving = begin(Arc::clone(&gateway), entered, upgrade).then(OptionFuture::from).map(drop);
    gateway.tracker.spawn(serving.in_current_span());
    response
}

/// Waits for the end of HTTP; then there is a client to serve.
async fn begin(
    gateway: Arc<Gateway>,
    entered: Entered,
    upgrade: OnUpgrade,
) -> Option<impl Future<Output = ()> + Send> {
    let Some(socket) = connection(upgrade, gateway.limits.frame_bytes).await else {
        gateway.hub.connections.remove(entered.connection);
        return None;
    };
    let flusher = gateway.hub.flusher(entered.connection);
    let transport = WebSocketTransport::new(socket, &entered, flusher);
    Some(drive(gateway, transport, entered))
}

/// The connection behind HTTP, and what the client has said there already. Nothing of HTTP's own buffer is kept.
async fn connection(upgrade: OnUpgrade, frame_bytes: usize) -> Option<(TcpStream, Decoder)> {
    let upgraded =
        upgrade.await.inspect_err(|error| tracing::debug!(%error, "no WebSocket came of it")).ok()?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    let mut decoder = Decoder::new(frame_bytes);
    decoder.feed(&parts.read_buf);
    Some((parts.io.into_inner(), decoder))
}

struct WebSocketTransport {
    socket: Arc<TcpStream>,
    decoder: Decoder,
    /// Leads into the socket.
    queue: SendQueue,
}

impl WebSocketTransport {
    /// Lets the connection's queue lead into the socket.
    fn new((socket, decoder): (TcpStream, Decoder), entered: &Entered, flusher: Arc<Flusher>) -> Self {
        let socket = Arc::new(socket);
        let sink: Arc<dyn Sink> = Arc::clone(&socket) as _;
        entered.reader.attach(Outlet::new(sink, flusher));
        Self { socket, decoder, queue: entered.queue.clone() }
    }

    /// Waits until there is something to read. [`TcpStream::readable`] would do, and take five times the memory.
    async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.socket.poll_read_ready(context)).await
    }

    /// Reads what has come; `false`: nothing will any more.
    fn read(&mut self) -> bool {
        let read = BUFFER.with_borrow_mut(|buffer| {
            self.socket.try_read(buffer).inspect(|count| self.decoder.feed(&buffer[..*count]))
        });
        match read {
            Ok(count) => count > 0,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn take_in(&self, message: Message) -> Incoming {
        match message {
            Message::Text(text) => Incoming::Text(text),
            Message::Binary => Incoming::Binary,
            Message::Pong => Incoming::Control,
            Message::Ping(payload) => {
                let pong = Frame::new(Opcode::Pong, |bytes| bytes.extend(payload));
                // Bounded: whoever pings without reading is too slow.
                self.queue.push(&Encoded::control(pong));
                Incoming::Control
            }
            Message::Close(code) => {
                self.last_word(code.unwrap_or(1000));
                Incoming::Gone
            }
        }
    }

    fn refuse(&self, violation: Violation) -> Incoming {
        if violation == Violation::TooLarge {
            return Incoming::Oversize;
        }
        tracing::debug!(%violation, "a client's bytes are not understood");
        self.last_word(violation.close_code());
        Incoming::Gone
    }

    /// Closes with a code, and does not wait: the client knows, or would not understand.
    fn last_word(&self, code: u16) {
        self.queue.put(Encoded::control(Frame::close(code, "")));
        self.queue.flush();
    }
}

impl Transport for WebSocketTransport {
    async fn receive(&mut self) -> Incoming {
        loop {
            match self.decoder.decode() {
                Ok(Some(message)) => return self.take_in(message),
                Ok(None) => {}
                Err(violation) => return self.refuse(violation),
            }
            if self.readable().await.is_err() || !self.read() {
                return Incoming::Gone;
            }
        }
    }

    fn feed(&mut self, frame: Encoded) -> Fed {
        self.queue.put(frame);
        Fed::Room
    }

    fn write(&mut self) -> Flushed {
        self.queue.flush()
    }

    async fn writable(&mut self) {
        if poll_fn(|context| self.socket.poll_write_ready(context)).await.is_err() {
            // The runtime ends, and whoever waits for it to say more would not let it.
            std::future::pending().await
        }
    }

    async fn close(&mut self, reason: CloseReason) {
        self.queue.put(Encoded::control(Frame::close(reason.code(), reason.text())));
        loop {
            match self.write() {
                Flushed::All => break,
                Flushed::Stalled => self.writable().await,
                Flushed::Broken => return,
            }
        }
        // Until the client has gone, so that our close frame is not lost to a reset of the TCP connection.
        while self.readable().await.is_ok() && self.read() {
            self.decoder = Decoder::new(0);
        }
    }
}

//! Listening, and serving one TCP connection: bounded in number, in the time that a request's head may take and in
//! the time that a connection may be idle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::limits::Limits;

/// Largest head of a request, in bytes.
const HEAD_BYTES: usize = 32 * 1024;
/// Most header fields of a request.
const HEADER_FIELDS: usize = 64;
/// How many connections wait at most to be accepted; the system cuts it to its own bound (`net.core.somaxconn`). When a
/// node or its network comes back, some thousand clients come at once. Whom the queue has no room for asks again after
/// a second and then at ever longer intervals, and waits half a minute for what takes a moment.
const BACKLOG: u32 = 4_096;
/// How long to wait after the system gave no connection, for want of file descriptors for example.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// Takes an address; gives the one that it became, with the port that the system chose for port 0.
///
/// # Errors
/// Those of the system.
pub fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As `TcpListener::bind` does: the port of a process that has just ended is free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// How the connections of a port end before the process does.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Every connection, so that it can be waited for.
    pub tracker: TaskTracker,
    /// Once cancelled, a connection ends with the answer to the request that it is at, or to its first one.
    pub closing: CancellationToken,
}

/// Serves for ever. Connections that were upgraded do not count as HTTP any more, and outlive this.
pub async fn serve(listener: TcpListener, router: Router, (limits, ending): (Arc<Limits>, Ending)) {
    let places = Arc::new(Semaphore::new(limits.http_connections));
    loop {
        // Without a free place clients wait in the system's backlog. The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (router, limits, closing) = (router.clone(), Arc::clone(&limits), ending.closing.clone());
                ending.tracker.spawn(async move {
                    connection(stream, peer, (router, &limits, closing)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted; trying again");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    (router, limits, closing): (Router, &Limits, CancellationToken),
) {
    // A chat message is small and must not wait for the next one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection stays without TCP_NODELAY");
    }
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let came_late = closing.is_cancelled();
    let serving = http1::Builder::new()
        .keep_alive(!came_late)
        .timer(TokioTimer::new())
        .header_read_timeout(limits.keep_alive)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADER_FIELDS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let silent = async {
        tokio::time::sleep(limits.first_request).await;
        if has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let served = tokio::select! {
        served = &mut serving => served,
        () = silent => return tracing::debug!(%peer, "a connection asked for nothing in time"),
        () = closing.cancelled(), if !came_late => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended");
    }
}

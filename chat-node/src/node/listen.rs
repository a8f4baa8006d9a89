//! Listening.

use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use super::StartError;

/// Takes an address; gives the one that it became, with the port that the system chose for port 0.
pub(super) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves until the task is aborted.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    // A chat message is small and must not wait for the next one.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays without TCP_NODELAY");
        }
    });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "listening ended");
    }
}

//! A TCP proxy that can cut its connections or let nothing through. Of several targets each connection takes the next.

use std::net::SocketAddr;

use chat_node::bus::rabbitmq::Credentials;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};

pub struct Proxy {
    address: SocketAddr,
    cut: broadcast::Sender<()>,
    held: watch::Sender<bool>,
}

impl Proxy {
    pub async fn to(target: String) -> Self {
        Self::to_any(vec![target]).await
    }

    pub async fn to_any(mut targets: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, held) = (broadcast::Sender::new(1), watch::Sender::new(false));
        let (cuts, holds) = (cut.clone(), held.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut cut, held) = (cuts.subscribe(), holds.subscribe());
                targets.rotate_left(1);
                let Ok(server) = TcpStream::connect(&targets[0]).await else { continue };
                tokio::spawn(async move {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        _ = cut.recv() => {}
                        () = pump(from_client, to_server, held.clone()) => {}
                        () = pump(from_server, to_client, held) => {}
                    }
                });
            }
        });
        Self { address, cut, held }
    }

    /// Makes the credentials lead here.
    pub fn replace(&self, credentials: &mut Credentials) {
        credentials.host = self.address.ip().to_string();
        credentials.port = self.address.port();
    }

    /// Ends all connections.
    pub fn cut(&self) {
        let _ = self.cut.send(());
    }

    /// Lets nothing through, or everything again.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if held.wait_for(|held| !held).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

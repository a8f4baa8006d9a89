//! One WebSocket connection.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

use super::frame::{FromServer, ToServer};
use super::gateway::Gateway;

/// A connection, or what is expected first on it, must be there by then.
const DEADLINE: Duration = Duration::from_secs(10);

/// An open connection to `/gateway`.
#[derive(Debug)]
pub struct Connection {
    socket: WebSocketStream<TcpStream>,
}

impl Connection {
    /// Connects.
    pub async fn open(gateway: &Gateway) -> Result<Self> {
        tokio::time::timeout(DEADLINE, Self::handshake(gateway))
            .await
            .with_context(|| format!("{} did not accept a WebSocket within {DEADLINE:?}", gateway.address))?
    }

    async fn handshake(gateway: &Gateway) -> Result<Self> {
        let stream = TcpStream::connect(gateway.address)
            .await
            .with_context(|| format!("cannot connect to {}", gateway.address))?;
        stream.set_nodelay(true)?;
        let uri = format!("ws://{}/gateway", gateway.host);
        let (socket, _) = ClientBuilder::new()
            .uri(&uri)?
            .connect_on(stream)
            .await
            .with_context(|| format!("{uri} at {} is no WebSocket", gateway.address))?;
        Ok(Self { socket })
    }

    /// Says something.
    pub async fn say(&mut self, frame: &ToServer<'_>) -> Result<()> {
        self.say_text(serde_json::to_string(frame)?).await
    }

    /// Says something that is written already.
    pub async fn say_text(&mut self, text: String) -> Result<()> {
        tokio::time::timeout(DEADLINE, self.socket.send(Message::text(text)))
            .await
            .context("the server does not read")?
            .context("cannot write to the server")
    }

    /// The next frame. An error when the connection ended or the server says what the protocol does not know.
    pub async fn hear(&mut self) -> Result<FromServer> {
        loop {
            let message = match self.socket.next().await {
                Some(message) => message.context("the connection broke")?,
                None => bail!("the server closed the connection"),
            };
            if let Some(text) = message.as_text() {
                return serde_json::from_str(text).with_context(|| format!("not a known frame: {text}"));
            }
            if let Some((code, reason)) = message.as_close() {
                bail!("the server closed the connection: {} {reason}", u16::from(code));
            }
        }
    }

    /// The next frame, which must be there soon.
    pub async fn hear_soon(&mut self) -> Result<FromServer> {
        tokio::time::timeout(DEADLINE, self.hear()).await.context("the server says nothing")?
    }

    /// Closes in order.
    pub async fn close(mut self) {
        // The other side may be gone already; there is nothing to do about it.
        let _ = tokio::time::timeout(DEADLINE, self.socket.close()).await;
    }
}

//! A client that knows just enough of the protocol to sign in: whole frames are counted, not looked into.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Room for what one read takes in.
const ROOM: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// One connection, or the half of it that is read from.
pub struct Client<S> {
    stream: S,
    /// What has come and is not a whole frame.
    rest: Vec<u8>,
}

impl Client<TcpStream> {
    pub async fn sign_in(address: &str, token: &str) -> Result<Self> {
        let mut client = Self::reading(TcpStream::connect(address).await?);
        client.stream.set_nodelay(true)?;
        let upgrade = format!(
            "GET /gateway HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.stream.write_all(upgrade.as_bytes()).await?;
        let identify = json!({"op": "identify", "token": token});
        client.until(|bytes| bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)).await?;
        client.stream.write_all(&masked(&identify)?).await?;
        loop {
            let frame = client.frame().await?;
            if frame.windows(12).any(|text| text == br#""op":"ready""#) {
                return Ok(client);
            }
        }
    }

    /// What it is written to by, and the rest of it.
    pub fn split(self) -> (OwnedWriteHalf, Client<OwnedReadHalf>) {
        let (stream, writer) = self.stream.into_split();
        (writer, Client { stream, rest: self.rest })
    }
}

impl<S: AsyncRead + Unpin> Client<S> {
    /// Frames come out of this, from its first byte on.
    pub fn reading(stream: S) -> Self {
        Self { stream, rest: Vec::new() }
    }

    async fn frame(&mut self) -> Result<Vec<u8>> {
        self.until(whole).await
    }

    /// Reads until `end` finds where something ends; gives it.
    async fn until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Result<Vec<u8>> {
        loop {
            if let Some(end) = end(&self.rest) {
                let found = self.rest.drain(..end).collect();
                if self.rest.is_empty() {
                    self.rest = Vec::new();
                }
                return Ok(found);
            }
            if self.stream.read_buf(&mut self.rest).await? == 0 {
                bail!("the node closed the connection");
            }
        }
    }

    /// Says of every frame that it has come, until the connection ends. All clients read into one buffer, so that they are
    /// quicker than who writes to them.
    pub async fn count(mut self, came: impl Fn()) {
        while poll_fn(|context| self.poll_count(context, &came)).await.is_ok_and(|bytes| bytes > 0) {}
    }

    fn poll_count(&mut self, context: &mut Context<'_>, came: &impl Fn()) -> Poll<std::io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut room = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut room))?;
            if self.rest.is_empty() {
                self.rest = after_whole(room.filled(), came).to_vec();
            } else {
                self.rest.extend_from_slice(room.filled());
                self.rest = after_whole(&self.rest, came).to_vec();
            }
            Poll::Ready(Ok(room.filled().len()))
        })
    }
}

/// What is behind the whole frames, each of which has come.
fn after_whole<'a>(mut bytes: &'a [u8], came: &impl Fn()) -> &'a [u8] {
    while let Some(end) = whole(bytes) {
        came();
        bytes = &bytes[end..];
    }
    bytes
}

/// A frame of a client; a mask of zeros leaves the text as it is.
pub fn masked(frame: &Value) -> Result<Vec<u8>> {
    let text = frame.to_string();
    ensure!(text.len() > 125, "a short text has another form");
    let mut bytes = vec![0x81, 0x80 | 126];
    bytes.extend(u16::try_from(text.len())?.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(text.as_bytes());
    Ok(bytes)
}

/// Where the frame ends that these bytes begin with.
fn whole(bytes: &[u8]) -> Option<usize> {
    let (head, length) = match bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= head + length).then_some(head + length)
}

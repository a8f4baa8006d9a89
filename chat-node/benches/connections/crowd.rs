//! Many clients that read, and one that writes. They know just enough of the protocol: whole frames are counted, not
//! looked into.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf as Writer;
use tokio::task::JoinSet;

use crate::CONTENT;
use crate::node::Node;

const WITHIN: Duration = Duration::from_secs(120);
/// Clients that sign in at a time.
const AT_ONCE: usize = 64;
/// Between two looks at what has arrived.
const LOOK: Duration = Duration::from_millis(1);
/// Connections that write.
const WRITERS: usize = 8;
/// Messages of one connection that a node takes before they are stored.
const PENDING: usize = 32;
/// Direct channels that a user opens; as many are opened with them.
const OPENED: usize = 2;

thread_local! {
    static DELIVERED: RefCell<usize> = const { RefCell::new(0) };
}

/// Users known to the node, each with four direct channels beside the official one; gives their tokens.
pub async fn introduce(address: &str, users: usize) -> Result<Vec<String>> {
    let client = reqwest::Client::new();
    let base = format!("http://{address}/api/v1");
    let introduced = stream::iter(0..users).map(|number| {
        let (client, base) = (client.clone(), base.clone());
        async move {
            let login = json!({ "name": format!("user-{number}") });
            let answer: Value =
                client.post(format!("{base}/dev/login")).json(&login).send().await?.json().await?;
            let token = answer["token"].as_str().context("no token")?.to_owned();
            let me = client.get(format!("{base}/users/@me")).bearer_auth(&token).send().await?;
            let me: Value = me.error_for_status()?.json().await?;
            anyhow::Ok((token, me["id"].as_str().context("no id")?.to_owned()))
        }
    });
    let introduced: Vec<_> = introduced.buffered(AT_ONCE).try_collect().await?;
    let pairs = (0..users).flat_map(|from| (1..=OPENED).map(move |step| (from, (from + step) % users)));
    let opened = stream::iter(pairs).map(|(from, to)| {
        let (client, url) = (client.clone(), format!("{base}/users/@me/channels"));
        let (token, to) = (introduced[from].0.clone(), introduced[to].1.clone());
        async move {
            let body = json!({ "recipient_id": to });
            client.post(url).bearer_auth(token).json(&body).send().await?.error_for_status()?;
            anyhow::Ok(())
        }
    });
    opened.buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
    Ok(introduced.into_iter().map(|(token, _)| token).collect())
}

/// Clients that are signed in.
pub struct Crowd {
    /// Further connections of some of the users.
    writers: Vec<Writer>,
    size: usize,
    written: usize,
    _readers: JoinSet<()>,
}

impl Crowd {
    /// Signs all of them in, as fast as the node lets them.
    pub async fn connect(address: &str, tokens: &[String]) -> Result<Self> {
        let connecting = stream::iter(tokens).map(|token| Client::sign_in(address, token));
        let clients: Vec<_> = connecting.buffer_unordered(AT_ONCE).try_collect().await?;
        let size = clients.len();
        let mut readers = JoinSet::new();
        for client in clients {
            readers.spawn(client.count(|| DELIVERED.with_borrow_mut(|delivered| *delivered += 1)));
        }
        let mut writers = Vec::new();
        for token in tokens.iter().take(WRITERS) {
            let client = Client::sign_in(address, token).await?;
            let (reader, writer) = client.stream.into_split();
            readers.spawn(Client { stream: reader, rest: client.rest }.count(|| ()));
            writers.push(writer);
        }
        Ok(Self { writers, size, written: 0, _readers: readers })
    }

    /// Each message is sent when everybody has the one before; gives the node's CPU time per delivery in µs.
    pub async fn paced(&mut self, messages: usize, node: &Node) -> Result<f64> {
        let before = node.usage()?;
        for _ in 0..messages {
            self.write().await?;
            self.arrived().await?;
        }
        Ok(self.per_delivery(messages, node.usage()?.cpu_seconds - before.cpu_seconds))
    }

    /// Messages as fast as the node stores them.
    pub async fn together(&mut self, messages: usize, node: &Node) -> Result<()> {
        let (before, began) = (node.usage()?, Instant::now());
        let pending = PENDING * self.writers.len();
        for _ in 0..messages {
            self.write().await?;
            // A node refuses what is more.
            self.arrived_but(pending).await?;
        }
        self.arrived().await?;
        let (took, used) = (began.elapsed(), node.usage()?.cpu_seconds - before.cpu_seconds);
        let rate = (messages * self.size) as f64 / took.as_secs_f64();
        let each = self.per_delivery(messages, used);
        println!("{messages} messages as fast as may be: {rate:.0} deliveries/s, {each:.2} µs of CPU each");
        Ok(())
    }

    fn per_delivery(&self, messages: usize, cpu_seconds: f64) -> f64 {
        cpu_seconds * 1e6 / (messages * self.size) as f64
    }

    async fn write(&mut self) -> Result<()> {
        self.written += 1;
        let (nonce, content) = (self.written.to_string(), "x".repeat(CONTENT));
        let send = json!({"op": "send", "channel_id": "1", "nonce": nonce, "content": content});
        let number = self.written % self.writers.len();
        Ok(self.writers[number].write_all(&masked(&send)?).await?)
    }

    /// Waits until everybody has got everything.
    async fn arrived(&self) -> Result<()> {
        self.arrived_but(0).await
    }

    /// Waits until everybody has got everything but the last so many messages.
    async fn arrived_but(&self, messages: usize) -> Result<()> {
        let due = self.written.saturating_sub(messages) * self.size;
        let all = async {
            while DELIVERED.with_borrow(|delivered| *delivered) < due {
                tokio::time::sleep(LOOK).await;
            }
        };
        let waited = tokio::time::timeout(WITHIN, all).await;
        waited.with_context(|| format!("{} of {due} arrived", DELIVERED.with_borrow(|count| *count)))
    }
}

/// One connection, or the half of it that is read from.
struct Client<S> {
    stream: S,
    /// What has come and is not a whole frame.
    rest: Vec<u8>,
}

impl Client<TcpStream> {
    async fn sign_in(address: &str, token: &str) -> Result<Self> {
        let mut client = Self { stream: TcpStream::connect(address).await?, rest: Vec::new() };
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
}

impl<S: AsyncRead + Unpin> Client<S> {
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

    /// Says of every frame that it has come, until the connection ends.
    async fn count(mut self, came: impl Fn()) {
        while self.frame().await.is_ok() {
            came();
        }
    }
}

/// A frame of a client; a mask of zeros leaves the text as it is.
fn masked(frame: &Value) -> Result<Vec<u8>> {
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

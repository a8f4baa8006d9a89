//! What an idle connection costs in memory, and a delivery in CPU time: a stand-alone node in a process of its own, its
//! clients in this one.
//!
//! `cargo bench --workspace --bench connections`; `VT_BENCH_CONNECTIONS` (2,000) and `VT_BENCH_MESSAGES` (50) change the
//! size. The kernel's figure is that of the whole machine, so it is good only where nothing else happens.
#![allow(missing_docs)]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

/// As many as a node lets in.
const CONNECTIONS_PER_USER: usize = 20;
/// Clock ticks a second, in which the kernel counts CPU time (`getconf CLK_TCK`; 100 wherever this runs).
const TICKS: f64 = 100.0;
const WITHIN: Duration = Duration::from_secs(60);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The node's process; ends with this.
struct Node {
    process: Child,
    address: String,
    /// Without a reader the node's greeting would fail, and the node with it.
    _out: BufReader<ChildStdout>,
    _data: tempfile::TempDir,
}

impl Node {
    fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_chat-node"))
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .args(["--limits", "connectionsPerAddress=100000,addressRequestsPerMinute=1000000"])
            .env("VT_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().context("the node has no output")?;
        let (mut out, mut line) = (BufReader::new(out), String::new());
        out.read_line(&mut line)?;
        let address =
            line.trim().split("http://").nth(1).context("the node's first line is not its address")?;
        Ok(Self { address: address.trim_end_matches('/').to_owned(), process, _out: out, _data: data })
    }

    /// A line of the kernel's file about the process, in KiB.
    fn memory_kib(&self) -> Result<f64> {
        field(&std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?, "VmRSS:")
    }

    /// CPU time in user and kernel so far, in s.
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
        let fields: Vec<f64> = after_name.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
        Ok(fields.iter().sum::<f64>() / TICKS)
    }

    /// A token of the development login.
    async fn token(&self, name: &str) -> Result<String> {
        let body = json!({ "name": name }).to_string();
        let request = format!(
            "POST /api/v1/dev/login HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let body = answer.split_once("\r\n\r\n").context("no body")?.1;
        let answer: Value = serde_json::from_str(body)?;
        Ok(answer["token"].as_str().context("no token")?.to_owned())
    }

    async fn connect(&self, token: &str) -> Result<Socket> {
        let uri = format!("ws://{}/gateway", self.address).parse()?;
        let (mut socket, _) = ClientBuilder::from_uri(uri).connect().await?;
        socket.send(Message::text(json!({"op": "identify", "token": token}).to_string())).await?;
        until(&mut socket, "ready").await?;
        Ok(socket)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn until(socket: &mut Socket, op: &str) -> Result<()> {
    let waiting = async {
        while let Some(message) = socket.next().await {
            let message = message?;
            let frame: Value = serde_json::from_str(message.as_text().unwrap_or("{}"))?;
            if frame["op"] == op {
                return Ok(());
            }
        }
        bail!("the node closed before `{op}`")
    };
    tokio::time::timeout(WITHIN, waiting).await.with_context(|| format!("no `{op}` in time"))?
}

fn field(text: &str, name: &str) -> Result<f64> {
    let line = text.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name}"))?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}

fn slab_kib() -> Result<f64> {
    field(&std::fs::read_to_string("/proc/meminfo")?, "Slab:")
}

fn size(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() -> Result<()> {
    let (connections, messages) = (size("VT_BENCH_CONNECTIONS", 2_000), size("VT_BENCH_MESSAGES", 50));
    let node = Node::start()?;
    let mut warm = node.connect(&node.token("sender").await?).await?;
    let (memory, slab) = (node.memory_kib()?, slab_kib()?);
    let sockets = idle(&node, connections).await?;
    let (memory, slab) = (node.memory_kib()? - memory, slab_kib()? - slab);
    let each = connections as f64;
    println!(
        "{connections} idle connections: {:.1} KiB resident, {:.1} KiB kernel slab each",
        memory / each,
        slab / each
    );

    let cpu = node.cpu_seconds()?;
    fan_out(&mut warm, sockets, messages).await?;
    let deliveries = (messages * connections) as f64;
    let micros = (node.cpu_seconds()? - cpu) * 1e6 / deliveries;
    println!(
        "{deliveries} deliveries of {messages} messages, one after the other: {micros:.1} µs of CPU each"
    );
    Ok(())
}

async fn idle(node: &Node, connections: usize) -> Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(connections);
    let mut token = String::new();
    for number in 0..connections {
        if number % CONNECTIONS_PER_USER == 0 {
            token = node.token(&format!("user-{number}")).await?;
        }
        sockets.push(node.connect(&token).await?);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(sockets)
}

/// Each message is sent when everybody has the one before.
async fn fan_out(sender: &mut Socket, sockets: Vec<Socket>, messages: usize) -> Result<()> {
    let (delivered, everybody) = (Arc::new(AtomicUsize::new(0)), sockets.len());
    let mut readers = JoinSet::new();
    for mut socket in sockets {
        let delivered = Arc::clone(&delivered);
        readers.spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                if message.as_text().is_some_and(|text| text.contains("message_create")) {
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    for number in 1..=messages {
        let nonce = format!("n-{number}");
        let frame = json!({"op": "send", "channel_id": "1", "nonce": nonce, "content": "x".repeat(200)});
        sender.send(Message::text(frame.to_string())).await?;
        until(sender, "ack").await?;
        let all = async {
            while delivered.load(Ordering::Relaxed) < number * everybody {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(WITHIN, all).await.context("not everybody got a message")?;
    }
    Ok(())
}

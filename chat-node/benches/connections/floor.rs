//! The least that a delivery can cost: one `send()`, which is what `TcpStream::write` is on Linux, to a client that waits
//! for it as the node's do. Sender and clients are processes of their own, as no process may have so many files open.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::{JoinSet, yield_now};

use crate::CONTENT;
use crate::arrivals::Arrivals;
use crate::client::Client;
use crate::node::keep_to_first_core;

/// A delivered message is as long as its text and so much more.
const AROUND: u16 = 250;

/// A process that does nothing but `send()` on the node's core, and one that has the other ends. They end with this.
pub struct Floor {
    sender: Peer,
    clients: Peer,
}

/// What one frame to all of them took.
pub struct Round {
    /// Until the kernel had taken the last one.
    pub took: Duration,
    /// CPU time of all of them.
    pub cpu: Duration,
}

impl Floor {
    pub fn lay(connections: usize) -> Result<Self> {
        let connections = connections.to_string();
        let mut sender = Peer::start(&["send", &connections])?;
        let address = sender.line()?;
        let mut clients = Peer::start(&["read", &connections, &address])?;
        clients.line()?;
        Ok(Self { sender, clients })
    }

    /// Sends one frame to each of them; back when all of it is read.
    pub fn round(&mut self) -> Result<Round> {
        self.clients.order()?;
        self.sender.order()?;
        let sent = self.sender.line()?;
        let nanos: Vec<u64> = sent.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        ensure!(nanos.len() == 2, "`{sent}` is no round");
        self.clients.line()?;
        Ok(Round { took: Duration::from_nanos(nanos[0]), cpu: Duration::from_nanos(nanos[1]) })
    }
}

/// This program again, as one of the other two processes: it does its work for every line that it reads.
struct Peer {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (orders, answers) = (process.stdin.take(), process.stdout.take().map(BufReader::new));
        let (orders, answers) = orders.zip(answers).context("it has no pipes")?;
        Ok(Self { process, orders, answers })
    }

    fn order(&mut self) -> Result<()> {
        Ok(self.orders.write_all(b"\n")?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "a part of the floor broke");
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Becomes the process that these arguments are for; `None`: they are for none.
pub fn serve(args: &[String]) -> Option<Result<()>> {
    match args {
        [what, connections] if what == "send" => Some(send(connections)),
        [what, connections, address] if what == "read" => Some(read(connections, address)),
        _ => None,
    }
}

fn send(connections: &str) -> Result<()> {
    keep_to_first_core()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let accept = |_| -> Result<TcpStream> {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        Ok(socket)
    };
    let sockets: Vec<TcpStream> = (0..connections.parse()?).map(accept).collect::<Result<_>>()?;
    let frame = frame()?;
    for order in std::io::stdin().lines() {
        order?;
        let (begun, before) = (Instant::now(), cpu()?);
        for mut socket in &sockets {
            socket.write_all(&frame)?;
        }
        let took = begun.elapsed();
        println!("{} {}", took.as_nanos(), (cpu()? - before).as_nanos());
    }
    Ok(())
}

/// As a node sends it.
fn frame() -> Result<Vec<u8>> {
    let length = u16::try_from(CONTENT)? + AROUND;
    let head = [0x81, 126].into_iter().chain(length.to_be_bytes());
    Ok(head.chain(std::iter::repeat_n(b'x', length.into())).collect())
}

/// On the last core, as whoever has started it.
fn read(connections: &str, address: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(read_as_clients_do(connections.parse()?, address))
}

async fn read_as_clients_do(connections: usize, address: &str) -> Result<()> {
    let (arrivals, mut readers) = (Arrivals::default(), JoinSet::new());
    for _ in 0..connections {
        let client = Client::reading(tokio::net::TcpStream::connect(address).await?);
        let arrivals = arrivals.clone();
        readers.spawn(client.count(move || arrivals.note()));
    }
    yield_now().await;
    println!();
    for order in std::io::stdin().lines() {
        order?;
        arrivals.expect(connections);
        while !arrivals.are_all_here() {
            ensure!(readers.try_join_next().is_none(), "a connection of the bare loop ended");
            // Instead of sleeping, as the node's clients do.
            yield_now().await;
        }
        println!();
    }
    Ok(())
}

/// CPU time of this thread so far, by the scheduler's count.
fn cpu() -> Result<Duration> {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(spent.split_whitespace().next().unwrap_or_default().parse()?))
}

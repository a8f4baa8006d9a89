//! A client's connection: made, read where it lies, and given up.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::TcpSocket;

use super::client::{End, Link};
use super::hear::hear;
use super::stream::{self, Sink, Source};
use super::world::World;
use crate::load::cast::UserNumber;
use crate::load::websocket::{self, Answer};

/// A server that has not accepted a connection by then is given up.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// What the kernel keeps for a client that shall be slow, in bytes: the server is to feel it soon.
const SLOW_BUFFER_BYTES: u32 = 16 * 1024;

/// Connects, and asks for a WebSocket. What came behind the answer is the client's tail.
pub async fn open(world: &World, user: UserNumber, tries: u32) -> Result<Source> {
    let opening = tokio::time::timeout(OPEN_WITHIN, handshake(world, user, tries));
    let ((read, write), tail) = opening.await.context("no WebSocket in time")??;
    let mut state = world.client(user).state.borrow_mut();
    state.generation += 1;
    state.tail = tail;
    let link =
        Link { write, unsent: Vec::new(), server: 0, heartbeat: Duration::from_secs(30), signed_in: false };
    state.link = Some(link);
    Ok(read)
}

async fn handshake(world: &World, user: UserNumber, tries: u32) -> Result<((Source, Sink), Vec<u8>)> {
    let address = world.way.address(user, tries);
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = world.way.source(user, address) {
        // Or the kernel would take a port here, free of all others, those of earlier runs too for a minute: with tens of
        // thousands the search takes a millisecond. So it takes one that is free for this way.
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        socket.bind(source).context("no port is left on this machine")?;
    }
    if world.client(user).is_slow {
        socket.set_recv_buffer_size(SLOW_BUFFER_BYTES)?;
    }
    let socket = socket.connect(address).await.context("cannot connect")?;
    socket.set_nodelay(true)?;
    let (mut source, mut sink) = stream::open(socket, world.way.tls.as_ref()).await?;
    sink.write_all(websocket::request(&world.way.host, "/gateway").as_bytes()).await?;
    let mut read = Vec::with_capacity(512);
    loop {
        if source.read_buf(&mut read).await? == 0 {
            bail!("closed instead of a WebSocket");
        }
        match websocket::take_answer(&read) {
            Answer::Unfinished => {}
            Answer::Accepted(begin) => return Ok(((source, sink), read.split_off(begin))),
            Answer::Refused(what) => bail!("{what}"),
        }
    }
}

/// Reads until the connection ends.
pub async fn listen(world: &World, user: UserNumber, mut read: Source) -> End {
    // What came with the handshake.
    if let Some(end) = take(world, user, (0, Instant::now())) {
        return end;
    }
    poll_fn(|context| poll(world, user, (&mut read, context))).await
}

fn poll(world: &World, user: UserNumber, (read, context): (&mut Source, &mut Context<'_>)) -> Poll<End> {
    let client = world.client(user);
    client.state.borrow_mut().sleep(context.waker());
    if let Some(end) = client.ordered() {
        return Poll::Ready(end);
    }
    if let Err(error) = poll_flush(world, user, context) {
        return Poll::Ready(End::Broken(format!("write: {}", error.kind())));
    }
    loop {
        if client.paused.get() {
            return Poll::Pending;
        }
        let length = match ready!(poll_read(world, user, (read, context))) {
            Ok(0) => return Poll::Ready(End::Broken("closed without a frame".to_owned())),
            Ok(length) => length,
            Err(error) => return Poll::Ready(End::Broken(format!("read: {}", error.kind()))),
        };
        if let Some(end) = take(world, user, (length, Instant::now())) {
            return Poll::Ready(end);
        }
    }
}

fn poll_flush(world: &World, user: UserNumber, context: &mut Context<'_>) -> std::io::Result<()> {
    let mut state = world.client(user).state.borrow_mut();
    while state.is_stuck() {
        let Some(link) = &mut state.link else { break };
        match link.write.poll_write_ready(context) {
            Poll::Ready(ready) => ready?,
            Poll::Pending => break,
        }
        link.flush()?;
    }
    Ok(())
}

/// Reads into the common buffer, behind the client's tail.
fn poll_read(
    world: &World,
    user: UserNumber,
    (read, context): (&mut Source, &mut Context<'_>),
) -> Poll<std::io::Result<usize>> {
    let mut buffer = world.buffer.borrow_mut();
    let kept = world.client(user).state.borrow().tail.len();
    if buffer.len() < 2 * kept {
        // Only a frame of extraordinary length gets here.
        *buffer = vec![0; 4 * kept].into_boxed_slice();
    }
    let mut room = ReadBuf::new(&mut buffer[kept..]);
    ready!(Pin::new(read).poll_read(context, &mut room))?;
    Poll::Ready(Ok(room.filled().len()))
}

/// Takes in the client's tail and what was read behind it.
fn take(world: &World, user: UserNumber, (length, now): (usize, Instant)) -> Option<End> {
    let mut buffer = world.buffer.borrow_mut();
    let client = world.client(user);
    let mut state = client.state.borrow_mut();
    state.heard = true;
    let tail = std::mem::take(&mut state.tail);
    buffer[..tail.len()].copy_from_slice(&tail);
    drop(state);
    let all = &buffer[..tail.len() + length];
    let mut begin = 0;
    loop {
        match websocket::next(&all[begin..]) {
            Ok(Some((frame, length))) => {
                if let Some(end) = hear(world, user, (&frame, now)) {
                    return Some(end);
                }
                begin += length;
            }
            Ok(None) => break,
            Err(error) => return Some(End::Lost(error.to_string())),
        }
    }
    // An empty tail owns no memory.
    client.state.borrow_mut().tail = all[begin..].to_vec();
    None
}

//! The least that a delivery can cost: one `send()`, which is what `TcpStream::write` is on Linux.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use anyhow::Result;

use crate::CONTENT;

/// A delivered message is as long as its text and so much more.
const AROUND: usize = 250;
/// Sockets that are written to before all are read from.
const UNREAD: usize = 8;

/// More sockets than this cost no more each, and this process has others open.
const SOCKETS_MAX: usize = 2_000;

/// CPU time of this thread for one `send()`, in µs, over `connections` sockets in turn.
pub fn send_to_each(connections: usize, rounds: usize) -> Result<f64> {
    let connections = connections.min(SOCKETS_MAX);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let pair = |_| -> Result<_> {
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        server.set_nodelay(true)?;
        Ok((server, client))
    };
    let pairs: Vec<(TcpStream, TcpStream)> = (0..connections).map(pair).collect::<Result<_>>()?;
    let (frame, mut buffer) = ([b'x'; CONTENT + AROUND], [0; (CONTENT + AROUND) * UNREAD]);
    let mut spent = 0.0;
    for round in 0..rounds {
        let before = cpu_micros()?;
        for (server, _) in &pairs {
            (&*server).write_all(&frame)?;
        }
        spent += cpu_micros()? - before;
        if round % UNREAD == UNREAD - 1 {
            for (_, client) in &pairs {
                std::io::Read::read_exact(&mut &*client, &mut buffer)?;
            }
        }
    }
    Ok(spent / (connections * rounds) as f64)
}

/// CPU time of this thread so far, by the scheduler's count in ns.
fn cpu_micros() -> Result<f64> {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(spent.split_whitespace().next().unwrap_or_default().parse::<f64>()? / 1e3)
}

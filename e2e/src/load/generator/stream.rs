//! The two directions of a connection, plain or encrypted.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustls::ClientConnection;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::load::tls::Tls;

/// Where a client reads.
#[derive(Debug)]
pub enum Source {
    /// As it comes.
    Plain(OwnedReadHalf),
    /// Decrypted.
    Tls(Rc<Session>),
}

/// Where a client writes.
#[derive(Debug)]
pub enum Sink {
    /// As it is.
    Plain(OwnedWriteHalf),
    /// Encrypted.
    Tls(Rc<Session>),
}

/// An encrypted connection.
#[derive(Debug)]
pub struct Session {
    socket: TcpStream,
    tls: RefCell<ClientConnection>,
}

/// Both directions of a connection; with TLS, whoever is at its other end has shown who it is.
pub async fn open(socket: TcpStream, tls: Option<&Tls>) -> io::Result<(Source, Sink)> {
    let Some(tls) = tls else {
        let (read, write) = socket.into_split();
        return Ok((Source::Plain(read), Sink::Plain(write)));
    };
    let tls = RefCell::new(tls.session().map_err(io::Error::other)?);
    let session = Rc::new(Session { socket, tls });
    session.shake_hands().await?;
    Ok((Source::Tls(Rc::clone(&session)), Sink::Tls(session)))
}

impl AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(read) => Pin::new(read).poll_read(context, room),
            Self::Tls(session) => session.poll_read(context, room),
        }
    }
}

impl Sink {
    /// Takes what there is room for; nothing at all writes what was taken before.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(write) => write.try_write(bytes),
            Self::Tls(session) => session.write(bytes),
        }
    }

    /// Whether something that was taken has not been written.
    pub fn holds(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(session) => session.tls.borrow().wants_write(),
        }
    }

    /// Whether there may be room.
    pub fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(write) => write.as_ref().poll_write_ready(context),
            Self::Tls(session) => session.socket.poll_write_ready(context),
        }
    }

    /// Writes all of it.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if let Self::Plain(write) = self {
            return write.write_all(bytes).await;
        }
        while !bytes.is_empty() || self.holds() {
            bytes = &bytes[self.try_write(bytes)?..];
            poll_fn(|context| self.poll_write_ready(context)).await?;
        }
        Ok(())
    }
}

impl Session {
    async fn shake_hands(&self) -> io::Result<()> {
        loop {
            let (is_shaking, wants_write) = {
                let mut tls = self.tls.borrow_mut();
                self.push(&mut tls)?;
                (tls.is_handshaking(), tls.wants_write())
            };
            match (is_shaking, wants_write) {
                (_, true) => self.socket.writable().await?,
                (true, false) => {
                    self.socket.readable().await?;
                    match self.pull(&mut self.tls.borrow_mut()) {
                        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                        Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                        _ => {}
                    }
                }
                (false, false) => return Ok(()),
            }
        }
    }

    fn poll_read(&self, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut tls = self.tls.borrow_mut();
        loop {
            match tls.reader().read(room.initialize_unfilled()) {
                Ok(length) => {
                    room.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(self.socket.poll_read_ready(context))?;
            match self.pull(&mut tls) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                _ => {}
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut tls = self.tls.borrow_mut();
        let taken = tls.writer().write(bytes)?;
        self.push(&mut tls)?;
        Ok(taken)
    }

    /// Writes what the kernel takes.
    fn push(&self, tls: &mut ClientConnection) -> io::Result<()> {
        while tls.wants_write() {
            match tls.write_tls(&mut Socket(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what the kernel has.
    fn pull(&self, tls: &mut ClientConnection) -> io::Result<usize> {
        let length = tls.read_tls(&mut Socket(&self.socket))?;
        if let Err(error) = tls.process_new_packets() {
            // The other side is told why, if it can be.
            let _ = self.push(tls);
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(length)
    }
}

/// A socket that never waits.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(room)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

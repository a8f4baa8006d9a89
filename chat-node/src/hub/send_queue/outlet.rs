//! Where a queue's frames leave without the connection's task.

use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::{Flushed, Flusher, Haste, SendQueue};
use crate::protocol::codec::Encoded;

/// Frames that go into one write.
const SLICES: usize = 64;

/// Takes bytes at once or not at all.
pub trait Sink: Debug + Send + Sync {
    /// Takes bytes of the slices, in order; gives how many.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`]: none now. Any other: none ever.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl Sink for TcpStream {
    /// What the runtime knows of a socket lies elsewhere in memory, and a message to thousands would fetch it for each: it is
    /// asked only when the socket takes nothing, and then remembers to tell when it does again.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = SockRef::from(self);
        let taken = match slices {
            [one] => socket.send(one),
            many => socket.send_vectored(many),
        };
        match taken {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.try_write_vectored(slices),
            taken => taken,
        }
    }
}

/// A sink, and whoever writes into it.
#[derive(Debug)]
pub struct Outlet {
    sink: Arc<dyn Sink>,
    flusher: Arc<Flusher>,
    turn: Turn,
}

/// Who writes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Nobody: nothing waits, or the driver is about to flush.
    Nobody,
    /// The flusher.
    Flusher(Haste),
    /// The driver, once the sink takes more.
    Driver,
}

impl Outlet {
    /// A way into `sink`, in turn with the others of `flusher`.
    pub fn new(sink: Arc<dyn Sink>, flusher: Arc<Flusher>) -> Self {
        Self { sink, flusher, turn: Turn::Nobody }
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.turn == Turn::Driver
    }

    /// Asks for a turn, unless one as early is due.
    pub(super) fn ask(&mut self, queue: &SendQueue, haste: Haste) {
        let wanted = Turn::Flusher(haste);
        if self.turn < wanted {
            self.turn = wanted;
            self.flusher.add(queue.clone(), haste);
        }
    }

    /// Writes frames, the first one from its byte `begun` on; gives how many bytes were taken.
    pub(super) fn write(&mut self, frames: &[Encoded], begun: usize) -> (usize, Flushed) {
        let (written, flushed) = match frames {
            [one] => {
                let rest = &one.bytes()[begun..];
                self.write_slices(&mut [IoSlice::new(rest)], rest.len())
            }
            many => self.write_many(many, begun),
        };
        self.turn = if flushed == Flushed::All { Turn::Nobody } else { Turn::Driver };
        (written, flushed)
    }

    fn write_many(&self, frames: &[Encoded], begun: usize) -> (usize, Flushed) {
        let mut frames = frames.iter().map(Encoded::bytes).peekable();
        let (mut skip, mut written) = (begun, 0);
        while frames.peek().is_some() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let (mut count, mut length) = (0, 0);
            for (slice, frame) in slices.iter_mut().zip(&mut frames) {
                let rest = &frame[std::mem::take(&mut skip)..];
                *slice = IoSlice::new(rest);
                (count, length) = (count + 1, length + rest.len());
            }
            let (taken, flushed) = self.write_slices(&mut slices[..count], length);
            written += taken;
            if flushed != Flushed::All {
                return (written, flushed);
            }
        }
        (written, Flushed::All)
    }

    /// Gives how many bytes were taken.
    fn write_slices(&self, mut slices: &mut [IoSlice<'_>], length: usize) -> (usize, Flushed) {
        let mut written = 0;
        while written < length {
            match self.sink.write(slices) {
                Ok(0) => return (written, Flushed::Broken),
                Ok(taken) => {
                    written += taken;
                    IoSlice::advance_slices(&mut slices, taken);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (written, Flushed::Stalled),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return (written, Flushed::Broken),
            }
        }
        (written, Flushed::All)
    }
}

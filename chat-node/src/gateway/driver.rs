//! Drives one session over one transport: does what the session says ([`outputs`]), tells it what happened, decides
//! nothing.

mod outputs;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::outputs::Next;
use super::Gateway;
use super::place::Place;
use super::transport::{Fed, Flushed, Incoming, Transport};
use super::work::{Finished, Work};
use crate::auth::Identity;
use crate::error::CloseReason;
use crate::hub::connections::{ConnectionId, Order, OrderReceiver};
use crate::hub::send_queue::{Due, SendQueue, SendQueueReader};
use crate::ids::ServerId;
use crate::protocol::codec::Encoded;
use crate::protocol::message::User;
use crate::session::{Form, IdentifyRefusal, Input, Request, Session, Watched};

/// How long the last frames and the close may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A connection's places in the hub.
#[derive(Debug)]
pub struct Entered {
    /// Its name.
    pub connection: ConnectionId,
    /// What the node is named by to it.
    pub server_id: ServerId,
    /// What the node tells it.
    pub orders: OrderReceiver,
    /// Where its events are put.
    pub queue: SendQueue,
    /// Where its events are taken.
    pub reader: SendQueueReader,
}

enum Happened {
    Incoming(Incoming),
    Due(Due),
    Finished(Finished),
    Order(Option<Order>),
    Overflow,
    Timeout,
}

enum End {
    Closed(CloseReason),
    Complete,
    Gone,
}

/// Serves one client that speaks for itself until it is gone or closed. An `async fn` would keep its arguments twice, for
/// as long as the client stays.
pub fn drive<T: Transport>(
    gateway: Arc<Gateway>,
    mut transport: T,
    entered: Entered,
) -> impl Future<Output = ()> + Send {
    let session = Session::new(Arc::clone(&gateway.limits), entered.server_id, now());
    let mut driver = Driver::new(gateway, session, (entered, Form::Dialogue, None));
    async move { driver.serve(&mut transport).await }
}

/// Answers one request until the answer is complete, the client gone or the session closed.
pub async fn answer(
    gateway: Arc<Gateway>,
    transport: &mut impl Transport,
    entered: Entered,
    (identity, request): (Identity, Request),
) {
    let form = request.form;
    let session = Session::requested(request, Arc::clone(&gateway.limits), entered.server_id);
    let mut driver = Driver::new(gateway, session, (entered, form, Some(identity)));
    driver.serve(transport).await;
}

struct Driver {
    gateway: Arc<Gateway>,
    place: Place,
    session: Session,
    work: Work,
    orders: OrderReceiver,
    queue: SendQueue,
    reader: SendQueueReader,
    /// Who makes the request, until it is welcomed.
    caller: Option<Identity>,
    user: Option<User>,
    watched: Watched,
}

impl Driver {
    fn new(
        gateway: Arc<Gateway>,
        session: Session,
        (entered, form, caller): (Entered, Form, Option<Identity>),
    ) -> Self {
        let Entered { connection, orders, queue, reader, .. } = entered;
        let place = Place::new(Arc::clone(&gateway), connection, form);
        let (work, user, watched) = (Work::default(), None, Watched::new());
        Self { gateway, place, session, work, orders, queue, reader, caller, user, watched }
    }

    async fn serve(&mut self, transport: &mut impl Transport) {
        let end = self.run(transport).await;
        self.count_dropped();
        match end {
            End::Closed(reason) => {
                tracing::debug!(reason = reason.text(), "closing");
                self.gateway.metrics.closed(reason);
                // A client that does not take the close is gone all the same.
                let _ = tokio::time::timeout(CLOSE_WITHIN, transport.close(reason)).await;
            }
            End::Complete | End::Gone => {}
        }
    }

    async fn run(&mut self, transport: &mut impl Transport) -> End {
        loop {
            if let Err(end) = self.step(transport).await {
                return end;
            }
        }
    }

    /// Most connections are in here, in [`Self::wait`], most of the time: what is seldom, and larger, is boxed.
    async fn step(&mut self, transport: &mut impl Transport) -> Result<(), End> {
        loop {
            match self.do_outputs(transport)? {
                Next::Wait => break,
                Next::Write => self.flush(transport).await?,
                Next::Complete => return Err(Box::pin(self.complete(transport)).await),
            }
        }
        self.flush(transport).await?;
        let happened = self.wait(transport).await;
        let frames = self.take_in(happened)?;
        if frames.is_empty() { Ok(()) } else { Box::pin(self.write(frames, transport)).await }
    }

    async fn flush(&mut self, transport: &mut impl Transport) -> Result<(), End> {
        match transport.write() {
            Flushed::All => Ok(()),
            Flushed::Stalled => Box::pin(self.flush_slowly(transport)).await,
            Flushed::Broken => Err(End::Gone),
        }
    }

    /// Writes what was fed, unless that takes too long or so much waits behind it that the client is too slow.
    async fn flush_slowly(&mut self, transport: &mut impl Transport) -> Result<(), End> {
        let writing = async {
            loop {
                transport.writable().await;
                match transport.write() {
                    Flushed::All => return Ok(()),
                    Flushed::Stalled => {}
                    Flushed::Broken => return Err(End::Gone),
                }
            }
        };
        tokio::select! {
            biased;
            written = writing => written,
            () = self.reader.overflowed() => Err(End::Closed(CloseReason::Slow)),
            () = tokio::time::sleep(self.gateway.limits.write) => Err(End::Closed(CloseReason::Slow)),
        }
    }

    async fn wait(&mut self, transport: &mut impl Transport) -> Happened {
        let timeout = self.session.poll_timeout().map(|(at, _)| at);
        let takes_orders = self.session.takes_orders();
        tokio::select! {
            // What can be ready without end stands last, and a client that never stops is closed as flooding.
            biased;
            () = self.reader.overflowed() => Happened::Overflow,
            () = sleep_until(timeout) => Happened::Timeout,
            order = self.orders.recv(), if takes_orders => Happened::Order(order),
            Some(finished) = self.work.next() => Happened::Finished(finished),
            incoming = transport.receive() => Happened::Incoming(incoming),
            due = self.reader.due() => Happened::Due(due),
        }
    }

    /// Gives frames that are to be written.
    fn take_in(&mut self, happened: Happened) -> Result<Vec<Encoded>, End> {
        let now = now();
        match happened {
            Happened::Incoming(Incoming::Text(text)) => self.session.handle(Input::Text(&text), now),
            Happened::Incoming(Incoming::Binary) => self.session.handle(Input::Binary, now),
            Happened::Incoming(Incoming::Oversize) => self.session.handle(Input::Oversize, now),
            Happened::Incoming(Incoming::Control) => {}
            Happened::Incoming(Incoming::Gone) | Happened::Order(None) => return Err(End::Gone),
            Happened::Due(Due::Frames(frames)) => return Ok(frames),
            // A flush follows anyway.
            Happened::Due(Due::Stalled) => self.count_dropped(),
            Happened::Finished(finished) => self.finished(finished, now),
            Happened::Order(Some(order)) => {
                let input = match order {
                    Order::Introduce(channel) => Input::Introduced(*channel),
                    Order::Withdraw(channel) => Input::Withdrawn(channel),
                    Order::Reconnect(delay) => Input::Reconnect(delay),
                };
                self.session.handle(input, now);
            }
            Happened::Overflow => self.session.handle(Input::Overflow, now),
            Happened::Timeout => self.session.handle(Input::Timeout, now),
        }
        Ok(Vec::new())
    }

    fn count_dropped(&self) {
        self.gateway.metrics.ephemeral_dropped.inc_by(self.reader.dropped());
    }

    async fn write(&mut self, frames: Vec<Encoded>, transport: &mut impl Transport) -> Result<(), End> {
        self.count_dropped();
        for frame in frames {
            if transport.feed(frame) == Fed::Full {
                self.flush(transport).await?;
            }
        }
        Ok(())
    }

    async fn complete(&mut self, transport: &mut impl Transport) -> End {
        let left = self.reader.take_now();
        match self.write(left, transport).await {
            Ok(()) => End::Complete,
            Err(end) => end,
        }
    }

    fn finished(&mut self, finished: Finished, now: Instant) {
        let input = match finished {
            Finished::Verified { cursors, result: Ok(identity) } => return self.welcome(identity, cursors),
            Finished::Verified { result: Err(error), .. } => {
                Input::Identified(Err(IdentifyRefusal::BadToken(error.to_string())))
            }
            Finished::Identified(result) => {
                if let Ok(welcome) = &result {
                    let channels = welcome.channels.iter().map(|channel| channel.id);
                    self.gateway.hub.connections.knows(self.place.connection, channels);
                    tracing::debug!(user = %welcome.user.id, "signed in");
                    self.user = Some(welcome.user.clone());
                }
                Input::Identified(result)
            }
            Finished::Sent { nonce, result } => Input::Sent { nonce, result },
            Finished::Followed { channel, result: Ok(()) } => {
                self.place.joined(channel);
                Input::Followed(channel)
            }
            Finished::Followed { result: Err(error), .. } => {
                tracing::warn!(%error, "a channel could not be read for a client");
                Input::FollowFailed
            }
            Finished::Fetched { fetch, result } => Input::Fetched { fetch, result },
            Finished::Silent(Ok(())) => return,
            Finished::Watched(Ok(users)) => return self.watched(users),
            Finished::Silent(Err(problem)) | Finished::Watched(Err(problem)) => Input::Refused(problem),
        };
        self.session.handle(input, now);
    }
}

/// The runtime's time, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

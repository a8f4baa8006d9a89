//! Drives one session over one transport: does what the session says, tells it what happened, decides nothing.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Gateway;
use super::place::Place;
use super::sign_in::welcome;
use super::transport::{Gone, Incoming, Transport};
use super::work::{Finished, Work};
use crate::auth::Identity;
use crate::channels::follow::Follower;
use crate::error::CloseReason;
use crate::hub::connections::{ConnectionId, Order, OrderReceiver};
use crate::hub::send_queue::{Due, SendQueue, SendQueueReader};
use crate::ids::{ChannelId, Position, ServerId};
use crate::protocol::codec::{self, Encoded};
use crate::protocol::cursors::Cursors;
use crate::protocol::frame::{Draft, Fetch, Identify, ServerFrame};
use crate::protocol::message::User;
use crate::session::{Form, IdentifyRefusal, Input, Output, Request, Sent, Session, Watched};

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
            if let Err(end) = self.do_outputs(transport).await {
                return end;
            }
            let happened = self.wait(transport).await;
            if let Err(end) = self.take_in(happened, transport).await {
                return end;
            }
        }
    }

    async fn do_outputs(&mut self, transport: &mut impl Transport) -> Result<(), End> {
        let limit = self.gateway.limits.write;
        while let Some(output) = self.session.poll() {
            match output {
                Output::Write(frame) => within_limits(&self.reader, limit, transport.feed(frame)).await?,
                Output::Queue(frame) => self.queue.push(&frame),
                Output::Identify(identify) => self.identify(identify),
                Output::Welcome(cursors) => self.welcome_caller(cursors),
                Output::Send(draft) => self.send(draft),
                Output::Cursors(cursors) => transport.begin(cursors),
                Output::Follow { channel, after } => self.follow(channel, after),
                Output::Unfollow(channel) => self.unfollow(channel),
                Output::Fetch(fetch) => self.fetch(fetch),
                Output::AcknowledgeHeartbeat => self.acknowledge_heartbeat(),
                Output::Typing(channel) => self.typing(channel),
                Output::MarkRead { channel, position } => self.mark_read(channel, position),
                Output::Watch(users) => self.watch(users),
                Output::End => return Err(self.complete(transport).await),
                Output::Close(reason) => return Err(End::Closed(reason)),
            }
        }
        within_limits(&self.reader, limit, transport.flush()).await
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

    async fn take_in(&mut self, happened: Happened, transport: &mut impl Transport) -> Result<(), End> {
        let now = now();
        match happened {
            Happened::Incoming(Incoming::Text(text)) => self.session.handle(Input::Text(&text), now),
            Happened::Incoming(Incoming::Binary) => self.session.handle(Input::Binary, now),
            Happened::Incoming(Incoming::Oversize) => self.session.handle(Input::Oversize, now),
            Happened::Incoming(Incoming::Control) => {}
            Happened::Incoming(Incoming::Gone) | Happened::Order(None) => return Err(End::Gone),
            Happened::Due(Due::Frames(frames)) => self.write(frames, transport).await?,
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
        Ok(())
    }

    fn count_dropped(&self) {
        self.gateway.metrics.ephemeral_dropped.inc_by(self.reader.dropped());
    }

    async fn write(&mut self, frames: Vec<Encoded>, transport: &mut impl Transport) -> Result<(), End> {
        self.count_dropped();
        for frame in frames {
            within_limits(&self.reader, self.gateway.limits.write, transport.feed(frame)).await?;
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

    fn identify(&mut self, identify: Identify) {
        let tokens = Arc::clone(&self.gateway.tokens);
        self.work.push(async move {
            let cursors = Cursors(identify.cursors);
            Finished::Verified { cursors, result: tokens.identify(&identify.token).await }
        });
    }

    fn welcome_caller(&mut self, cursors: Cursors) {
        match self.caller.take() {
            Some(identity) => self.welcome(identity, cursors),
            None => self.refuse(IdentifyRefusal::BadToken("there is none".to_owned())),
        }
    }

    fn welcome(&mut self, identity: Identity, cursors: Cursors) {
        if self.place.sign_in(&identity.user.id).is_err() {
            return self.refuse(IdentifyRefusal::TooManyConnections);
        }
        let (gateway, whose) = (Arc::clone(&self.gateway), (self.place.connection, identity));
        self.work.push(async move { Finished::Identified(welcome(&gateway, whose, &cursors, now()).await) });
    }

    fn refuse(&mut self, refusal: IdentifyRefusal) {
        self.work.push(std::future::ready(Finished::Identified(Err(refusal))));
    }

    fn send(&mut self, draft: Draft) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move {
            let nonce = draft.nonce.clone();
            let result = channels.send(&user, draft).await.map(|message| Sent::of(&message));
            Finished::Sent { nonce, result }
        });
    }

    fn follow(&mut self, channel: ChannelId, after: Position) {
        self.place.follows(channel);
        let channels = Arc::clone(&self.gateway.channels);
        let Some(User { id: user, .. }) = self.user.clone() else { return };
        let follower = Follower { connection: self.place.connection, user, queue: self.queue.clone() };
        self.work.push_follow(channel, async move { channels.follow(&follower, channel, after).await });
    }

    fn unfollow(&mut self, channel: ChannelId) {
        self.work.break_off(channel);
        self.place.leaves(channel);
        if !self.watched.is_empty() {
            // It may have been what let the user know of some of them.
            self.watch(self.watched.clone());
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work
            .push(async move { Finished::Fetched { fetch, result: channels.fetch(&user.id, fetch).await } });
    }

    fn acknowledge_heartbeat(&self) {
        let heads = self.place.heads();
        self.queue.push(&codec::encode(&ServerFrame::HeartbeatAck { heads: &heads }));
    }

    fn typing(&mut self, channel: ChannelId) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move { Finished::Silent(channels.typing(&user.id, channel).await) });
    }

    fn mark_read(&mut self, channel: ChannelId, position: Position) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move {
            Finished::Silent(channels.mark_read(&user.id, channel, position).await.map(drop))
        });
    }

    fn watch(&mut self, users: Watched) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        self.work.push(async move { Finished::Watched(channels.acquaintances(&user.id, users).await) });
    }

    fn watched(&mut self, users: Watched) {
        self.gateway.presence.watch(self.place.connection, &self.queue, &users);
        self.watched = users;
    }
}

/// Awaits a write, unless it takes too long or so much waits behind it that the client is too slow.
async fn within_limits(
    reader: &SendQueueReader,
    limit: Duration,
    write: impl Future<Output = Result<(), Gone>>,
) -> Result<(), End> {
    tokio::select! {
        biased;
        written = write => written.map_err(|Gone| End::Gone),
        () = reader.overflowed() => Err(End::Closed(CloseReason::Slow)),
        () = tokio::time::sleep(limit) => Err(End::Closed(CloseReason::Slow)),
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

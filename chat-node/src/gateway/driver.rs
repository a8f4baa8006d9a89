//! Drives one session over one transport: does what the session says, tells it what happened, decides nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;

use super::Gateway;
use super::presence::Presence;
use super::transport::{Gone, Incoming, Transport};
use crate::auth::Identity;
use crate::channels::follow::Follower;
use crate::error::{CloseReason, Problem};
use crate::hub::connections::{ConnectionId, Order};
use crate::hub::send_queue::{SendQueue, SendQueueReader};
use crate::ids::{ChannelId, Position};
use crate::protocol::codec::Encoded;
use crate::protocol::frame::{Draft, Identify};
use crate::protocol::message::User;
use crate::session::{IdentifyRefusal, Input, Output, Sent, Session, Welcome};

/// How long the last frames and the close may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Longest life of a connection's token that a timer is set for.
const LIFE_MAX: Duration = Duration::from_secs(365 * 86_400);

/// A connection's places in the hub.
#[derive(Debug)]
pub struct Entered {
    /// Its name.
    pub connection: ConnectionId,
    /// What the node tells it.
    pub orders: mpsc::Receiver<Order>,
    /// Where its events are put.
    pub queue: SendQueue,
    /// Where its events are taken.
    pub reader: SendQueueReader,
}

enum Happened {
    Incoming(Incoming),
    Events(Vec<Encoded>),
    Finished(Finished),
    Order(Option<Order>),
    Overflow,
    Timeout,
}

enum Finished {
    Identified(Result<Welcome, IdentifyRefusal>),
    Sent { nonce: String, result: Result<Sent, Problem> },
    Followed(Result<(), crate::store::StoreError>),
}

enum End {
    Closed(CloseReason),
    Gone,
}

/// Serves one client until it is gone or closed.
pub async fn drive(gateway: Arc<Gateway>, mut transport: impl Transport, entered: Entered) {
    let Entered { connection, orders, queue, reader } = entered;
    let presence = Presence::new(Arc::clone(&gateway), connection);
    let session = Session::new(Arc::clone(&gateway.limits), gateway.ids.server_id(), now());
    let work = FuturesUnordered::new();
    let mut driver = Driver { gateway, presence, session, work, orders, queue, reader, user: None };
    match driver.run(&mut transport).await {
        End::Closed(reason) => {
            driver.gateway.metrics.closed(reason);
            // A client that does not take the close is gone all the same.
            let _ = tokio::time::timeout(CLOSE_WITHIN, transport.close(reason)).await;
        }
        End::Gone => {}
    }
}

struct Driver {
    gateway: Arc<Gateway>,
    presence: Presence,
    session: Session,
    work: FuturesUnordered<BoxFuture<'static, Finished>>,
    orders: mpsc::Receiver<Order>,
    queue: SendQueue,
    reader: SendQueueReader,
    user: Option<User>,
}

impl Driver {
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
                Output::Identify(identify) => self.identify(identify),
                Output::Send(draft) => self.send(draft),
                Output::Follow { channel, after } => self.follow(channel, after),
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
            events = self.reader.take() => Happened::Events(events),
        }
    }

    async fn take_in(&mut self, happened: Happened, transport: &mut impl Transport) -> Result<(), End> {
        let (now, limit) = (now(), self.gateway.limits.write);
        match happened {
            Happened::Incoming(Incoming::Text(text)) => self.session.handle(Input::Text(&text), now),
            Happened::Incoming(Incoming::Binary) => self.session.handle(Input::Binary, now),
            Happened::Incoming(Incoming::Oversize) => self.session.handle(Input::Oversize, now),
            Happened::Incoming(Incoming::Control) => {}
            Happened::Incoming(Incoming::Gone) => return Err(End::Gone),
            Happened::Events(frames) => {
                for frame in frames {
                    within_limits(&self.reader, limit, transport.feed(frame)).await?;
                }
            }
            Happened::Finished(finished) => self.finished(finished, now),
            Happened::Order(Some(Order::Introduce(introduction))) => {
                self.session.handle(Input::Introduced(introduction), now);
            }
            Happened::Order(Some(Order::Reconnect(delay))) => {
                self.session.handle(Input::Reconnect(delay), now);
            }
            Happened::Order(None) => return Err(End::Gone),
            Happened::Overflow => self.session.handle(Input::Overflow, now),
            Happened::Timeout => self.session.handle(Input::Timeout, now),
        }
        Ok(())
    }

    fn finished(&mut self, finished: Finished, now: Instant) {
        let input = match finished {
            Finished::Identified(result) => {
                if let Ok(welcome) = &result {
                    let channels = welcome.channels.iter().map(|channel| channel.id);
                    self.gateway.hub.connections.knows(self.presence.connection, channels);
                    self.user = Some(welcome.user.clone());
                }
                Input::Identified(result)
            }
            Finished::Sent { nonce, result } => Input::Sent { nonce, result },
            Finished::Followed(Ok(())) => return,
            Finished::Followed(Err(error)) => {
                tracing::warn!(%error, "a channel could not be read for a client");
                Input::FollowFailed
            }
        };
        self.session.handle(input, now);
    }

    fn identify(&mut self, identify: Identify) {
        let gateway = Arc::clone(&self.gateway);
        let identity = match gateway.tokens.verify(&identify.token) {
            Ok(identity) => identity,
            Err(error) => {
                let refusal = IdentifyRefusal::BadToken(error.to_string());
                return self.work.push(std::future::ready(Finished::Identified(Err(refusal))).boxed());
            }
        };
        if self.presence.sign_in(&identity.user).is_err() {
            let refused = Finished::Identified(Err(IdentifyRefusal::TooManyConnections));
            return self.work.push(std::future::ready(refused).boxed());
        }
        let welcoming =
            async move { Finished::Identified(welcome(&gateway, identity, &identify.cursors).await) };
        self.work.push(welcoming.boxed());
    }

    fn send(&mut self, draft: Draft) {
        let Some(user) = self.user.clone() else { return };
        let channels = Arc::clone(&self.gateway.channels);
        let sending = async move {
            let nonce = draft.nonce.clone();
            Finished::Sent { nonce, result: channels.send(&user, draft).await }
        };
        self.work.push(sending.boxed());
    }

    fn follow(&mut self, channel: ChannelId, after: Position) {
        self.presence.follows(channel);
        let channels = Arc::clone(&self.gateway.channels);
        let follower = Follower { connection: self.presence.connection, queue: self.queue.clone() };
        let following = async move { Finished::Followed(channels.follow(&follower, channel, after).await) };
        self.work.push(following.boxed());
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

async fn welcome(
    gateway: &Gateway,
    identity: Identity,
    cursors: &BTreeMap<ChannelId, Position>,
) -> Result<Welcome, IdentifyRefusal> {
    let unavailable = |error: crate::store::StoreError| {
        tracing::warn!(%error, "a user could not be signed in");
        IdentifyRefusal::Unavailable
    };
    let Identity { user, expires_s } = identity;
    gateway.store.put_user(&user).await.map_err(unavailable)?;
    let channels = gateway.channels.of_user(&user.id, cursors).await.map_err(unavailable)?;
    let left = Duration::from_secs(expires_s.saturating_sub(gateway.clock.wall_ms() / 1_000));
    Ok(Welcome { user, expires: now() + left.min(LIFE_MAX), channels })
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

//! A chat client for tests: it reconnects by itself, and checks that each channel's events come once, in order and
//! without holes.

mod connection;
mod frame;
mod gateway;
mod record;
mod token;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::eventually::eventually;

#[cfg(test)]
pub use frame::Author;
pub use frame::Message;
pub use gateway::Gateway;
pub use record::{Arrival, Record};
pub use token::{SigningKey, User};

use worker::{Order, Worker};

/// The channel of the official group.
pub const OFFICIAL: &str = "1";

/// How long a client may wait for what it was promised, reconnects included.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Messages that wait for their ack, at most.
const OUTSTANDING: usize = 64;

static NONCE: AtomicU64 = AtomicU64::new(1);

/// Where a message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The message's id.
    pub id: String,
    /// Its position in the channel.
    pub position: u64,
}

/// A user at a client. Signs out when dropped.
#[derive(Debug)]
pub struct Chat {
    orders: mpsc::Sender<Order>,
    record: watch::Receiver<Record>,
    _worker: AbortOnDropHandle<()>,
}

impl Chat {
    /// Connects and signs in; back when the server said `ready`.
    pub async fn sign_in(gateway: &Gateway, key: &SigningKey, user: &User) -> Result<Self> {
        let (orders, inbox) = mpsc::channel(OUTSTANDING);
        let (sender, record) = watch::channel(Record::default());
        let worker = Worker::new(gateway.clone(), key.token(user)?, inbox, sender);
        let worker = AbortOnDropHandle::new(tokio::spawn(worker.run()));
        let chat = Self { orders, record, _worker: worker };
        chat.until("signed in", |record| record.server().is_some()).await?;
        Ok(chat)
    }

    /// Signs in on a server that is not one of `others`. The way in decides which server a connection meets, and takes
    /// a moment to know a new one, so this tries again and again.
    pub async fn sign_in_elsewhere(
        gateway: &Gateway,
        (key, user): (&SigningKey, &User),
        others: &[u16],
    ) -> Result<Self> {
        let what = format!("a connection of {} meets a server that is not one of {others:?}", user.id);
        eventually(&what, PATIENCE, || async {
            let chat = Self::sign_in(gateway, key, user).await?;
            let server = chat.server()?;
            ensure!(!others.contains(&server), "the last one met {server}");
            Ok(chat)
        })
        .await
    }

    /// Sends a message and waits for its ack. Sent again, under the same nonce, after a lost connection or when the
    /// server asks for patience.
    pub async fn send(&self, channel: &str, content: &str) -> Result<Ack> {
        let nonce = format!("e2e-{}-{}", std::process::id(), NONCE.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        let order = Order { channel: channel.to_owned(), content: content.to_owned(), nonce, reply };
        self.orders.send(order).await.ok().context("the client has ended")?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.context("the client has ended")?,
            Err(_) => bail!("no ack for {content:?} within {PATIENCE:?}; {}", self.record().summary()),
        }
    }

    /// Waits until the record is as wanted.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Record) -> bool) -> Result<()> {
        let mut record = self.record.clone();
        let waited = tokio::time::timeout(PATIENCE, record.wait_for(|record| holds(record))).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => bail!("the client ended; {}", self.record().summary()),
            Err(_) => bail!("not within {PATIENCE:?}: {what}; {}", self.record().summary()),
        }
    }

    /// Waits until a message with this text was received.
    pub async fn receives(&self, content: &str) -> Result<Message> {
        let what = format!("a message {content:?} arrives");
        self.until(&what, |record| record.message(content).is_some()).await?;
        self.record().message(content).cloned().context("the message is no longer in the record")
    }

    /// What the client saw so far. Do not hold it over an `await`.
    pub fn record(&self) -> watch::Ref<'_, Record> {
        self.record.borrow()
    }

    /// The server that the client is connected to now.
    pub fn server(&self) -> Result<u16> {
        self.record().server().context("the client is not connected")
    }

    /// An error if any event was lost, doubled or out of order.
    pub fn check(&self) -> Result<()> {
        self.record().check()
    }
}

/// This machine's time in ms since 1970.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}

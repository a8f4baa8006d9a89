//! Keeps a client connected, and its messages under way until they are acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::connection::Connection;
use super::frame::{FromServer, ToServer};
use super::gateway::Gateway;
use super::record::Record;
use super::{Ack, OUTSTANDING};

/// First and longest wait after a failed connection.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The longest time between two heartbeats. Servers want them less often, but whoever waits for messages wants to know
/// of a dead server sooner.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A message to send.
#[derive(Debug)]
pub struct Order {
    /// Where to.
    pub channel: String,
    /// The text.
    pub content: String,
    /// The client's own key for it.
    pub nonce: String,
    /// Where the ack goes.
    pub reply: oneshot::Sender<Result<Ack>>,
}

/// How a connection ended.
enum End {
    /// The server asked for it; come back after this time.
    Asked(Duration),
    /// The client was dropped.
    Done,
}

/// The task behind a client.
#[derive(Debug)]
pub struct Worker {
    gateway: Gateway,
    token: String,
    orders: mpsc::Receiver<Order>,
    record: watch::Sender<Record>,
    outstanding: BTreeMap<String, Order>,
}

impl Worker {
    /// A client that is not yet connected.
    pub fn new(
        gateway: Gateway,
        token: String,
        orders: mpsc::Receiver<Order>,
        record: watch::Sender<Record>,
    ) -> Self {
        Self { gateway, token, orders, record, outstanding: BTreeMap::new() }
    }

    /// Connects again and again until the client is dropped.
    pub async fn run(mut self) {
        let mut backoff = BACKOFF.0;
        loop {
            let connections = self.record.borrow().servers.len();
            let end = self.connected().await;
            self.record.send_modify(Record::disconnected);
            if self.record.borrow().servers.len() > connections {
                backoff = BACKOFF.0;
            }
            match end {
                Ok(End::Done) => return,
                Ok(End::Asked(delay)) => tokio::time::sleep(delay).await,
                Err(error) => {
                    self.record.send_modify(|record| record.broken.push(format!("{error:#}")));
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
    }

    /// One connection, from its first frame to its last.
    async fn connected(&mut self) -> Result<End> {
        let mut connection = Connection::open(&self.gateway).await?;
        let heartbeat = self.identify(&mut connection).await?;
        for order in self.outstanding.values() {
            say(&mut connection, order).await?;
        }
        let mut beat = tokio::time::interval_at(Instant::now() + heartbeat, heartbeat);
        // Since the last beat; a connection on which nothing comes leads nowhere any more.
        let mut silent = false;
        loop {
            let room = self.outstanding.len() < OUTSTANDING;
            tokio::select! {
                frame = connection.hear() => {
                    silent = false;
                    if let Some(delay) = self.heard(frame?, &mut connection).await? {
                        connection.close().await;
                        return Ok(End::Asked(delay));
                    }
                }
                order = self.orders.recv(), if room => {
                    let Some(order) = order else {
                        connection.close().await;
                        return Ok(End::Done);
                    };
                    let order = self.outstanding.entry(order.nonce.clone()).or_insert(order);
                    say(&mut connection, order).await?;
                }
                _ = beat.tick() => {
                    if std::mem::replace(&mut silent, true) {
                        bail!("the server was silent for {heartbeat:?}, though asked for a heartbeat");
                    }
                    connection.say(&ToServer::Heartbeat).await?;
                }
            }
        }
    }

    /// Signs in, with the cursors of what was seen before. Returns the time between heartbeats.
    async fn identify(&self, connection: &mut Connection) -> Result<Duration> {
        let FromServer::Hello { heartbeat_ms, server_id } = connection.hear_soon().await? else {
            bail!("the first frame was no hello");
        };
        let said = {
            let record = self.record.borrow();
            let frame = ToServer::Identify { token: &self.token, cursors: record.cursors() };
            serde_json::to_string(&frame)?
        };
        connection.say_text(said).await?;
        match connection.hear_soon().await? {
            FromServer::Ready { server_id: ready, channels } if ready == server_id => {
                self.record.send_modify(|record| record.ready(server_id, channels));
                Ok(Duration::from_millis(heartbeat_ms.max(1_000)).min(HEARTBEAT))
            }
            other => bail!("server {server_id} answered identify with {other:?}"),
        }
    }

    /// Takes a frame in; a delay if the server asked the client to reconnect.
    async fn heard(&mut self, frame: FromServer, connection: &mut Connection) -> Result<Option<Duration>> {
        match frame {
            FromServer::Event(event) => self.record.send_modify(|record| record.event(event)),
            FromServer::Ack { nonce, id, position } => {
                let ack = Ack { id, position: position.parse()? };
                self.record.send_modify(|record| record.ack(&nonce, &ack));
                self.answer(&nonce, Ok(ack));
            }
            FromServer::Reconnect { delay_ms } => {
                self.record.send_modify(|record| record.asked_to_reconnect += 1);
                return Ok(Some(Duration::from_millis(delay_ms.min(60_000))));
            }
            FromServer::Error { code, message, nonce, retry_after_ms } => {
                let refusal = format!("{code}: {message}");
                self.record.send_modify(|record| record.refused.push(refusal.clone()));
                self.refused((nonce, retry_after_ms), refusal, connection).await?;
            }
            FromServer::HeartbeatAck { heads } => self.record.send_modify(|record| record.heads(&heads)),
            FromServer::Hello { .. } | FromServer::Ready { .. } => bail!("a second greeting: {frame:?}"),
        }
        Ok(None)
    }

    /// Sends again when the server asks for patience, else gives up the message.
    async fn refused(
        &mut self,
        (nonce, retry): (Option<String>, Option<u64>),
        refusal: String,
        connection: &mut Connection,
    ) -> Result<()> {
        let Some(nonce) = nonce else { return Ok(()) };
        let Some(retry) = retry else {
            self.answer(&nonce, Err(anyhow!("the server refused the message: {refusal}")));
            return Ok(());
        };
        tokio::time::sleep(Duration::from_millis(retry.min(5_000))).await;
        match self.outstanding.get(&nonce) {
            Some(order) => say(connection, order).await,
            None => Ok(()),
        }
    }

    fn answer(&mut self, nonce: &str, answer: Result<Ack>) {
        if let Some(order) = self.outstanding.remove(nonce) {
            // Whoever sent it may have stopped waiting.
            let _ = order.reply.send(answer);
        }
    }
}

async fn say(connection: &mut Connection, order: &Order) -> Result<()> {
    let Order { channel, content, nonce, .. } = order;
    connection.say(&ToServer::Send { channel_id: channel, nonce, content }).await
}

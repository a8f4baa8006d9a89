//! Many clients that read, and a few that write.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf as Writer;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::CONTENT;
use crate::arrivals::Arrivals;
use crate::client::{Client, masked};

/// Clients that sign in at a time.
const AT_ONCE: usize = 64;
/// Connections that write.
const WRITERS: usize = 8;
/// Messages of one connection that are under way; a node takes 32 before they are stored, and some readers have a message
/// before it is out of that count.
const PENDING: usize = 24;
/// Direct channels that a user opens; as many are opened with them.
const OPENED: usize = 2;
/// The channel that everybody reads.
const OFFICIAL: &str = "1";

/// Users known to the node, each with four direct channels beside the official one.
pub struct Guests {
    tokens: Vec<String>,
    /// The direct channel of the first two of them.
    direct: String,
}

impl Guests {
    /// Makes them known.
    pub async fn introduce(address: &str, users: usize) -> Result<Self> {
        let client = reqwest::Client::new();
        let base = format!("http://{address}/api/v1");
        let introduced = stream::iter(0..users).map(|number| {
            let (client, base) = (client.clone(), base.clone());
            async move {
                let login = json!({ "name": format!("user-{number}") });
                let answer: Value =
                    client.post(format!("{base}/dev/login")).json(&login).send().await?.json().await?;
                let token = answer["token"].as_str().context("no token")?.to_owned();
                let me = client.get(format!("{base}/users/@me")).bearer_auth(&token).send().await?;
                anyhow::Ok((token, id(&me.error_for_status()?.json().await?)?))
            }
        });
        let introduced: Vec<_> = introduced.buffered(AT_ONCE).try_collect().await?;
        let pairs = (0..users).flat_map(|from| (1..=OPENED).map(move |step| (from, (from + step) % users)));
        let opened = stream::iter(pairs).map(|(from, to)| {
            let (client, url) = (client.clone(), format!("{base}/users/@me/channels"));
            let (token, to) = (introduced[from].0.clone(), introduced[to].1.clone());
            async move {
                let body = json!({ "recipient_id": to });
                let opened = client.post(url).bearer_auth(token).json(&body).send().await?;
                id(&opened.error_for_status()?.json().await?)
            }
        });
        let opened: Vec<_> = opened.buffered(AT_ONCE).try_collect().await?;
        let direct = opened.into_iter().next().context("nobody is there")?;
        Ok(Self { tokens: introduced.into_iter().map(|(token, _)| token).collect(), direct })
    }
}

fn id(made: &Value) -> Result<String> {
    Ok(made["id"].as_str().context("no id")?.to_owned())
}

/// Whom a message is for.
#[derive(Clone, Copy)]
pub enum Readers {
    Everybody,
    /// The first two guests, in their direct channel.
    Two,
}

/// Clients that are signed in.
pub struct Crowd {
    /// Further connections of some of the users.
    writers: Vec<Writer>,
    size: usize,
    direct: String,
    written: usize,
    arrivals: Arrivals,
    _readers: JoinSet<()>,
}

impl Crowd {
    /// Signs all of them in, as fast as the node lets them.
    pub async fn connect(address: &str, guests: &Guests) -> Result<Self> {
        let awake = stay_awake();
        let connecting = stream::iter(&guests.tokens).map(|token| Client::sign_in(address, token));
        let clients: Vec<_> = connecting.buffer_unordered(AT_ONCE).try_collect().await?;
        drop(awake);
        let (size, arrivals, mut readers) = (clients.len(), Arrivals::default(), JoinSet::new());
        for client in clients {
            let arrivals = arrivals.clone();
            readers.spawn(client.count(move || arrivals.note()));
        }
        let mut writers = Vec::new();
        for token in guests.tokens.iter().take(WRITERS) {
            let (writer, reader) = Client::sign_in(address, token).await?.split();
            readers.spawn(reader.count(|| ()));
            writers.push(writer);
        }
        Ok(Self { writers, size, direct: guests.direct.clone(), written: 0, arrivals, _readers: readers })
    }

    /// Each message is sent when the one before has come to all its readers; gives how long each took from when it was
    /// sent until its last reader had it.
    pub async fn one_by_one(&mut self, messages: usize, readers: Readers) -> Result<Vec<Duration>> {
        let _awake = stay_awake();
        let mut took = Vec::with_capacity(messages);
        for _ in 0..messages {
            let sent = Instant::now();
            self.write(readers).await?;
            took.push(self.arrivals.all().await? - sent);
        }
        Ok(took)
    }

    /// Messages to everybody as fast as the node stores them; gives how long all of it took.
    pub async fn together(&mut self, messages: usize) -> Result<Duration> {
        let (_awake, began) = (stay_awake(), Instant::now());
        let pending = PENDING * self.writers.len() * self.size;
        for _ in 0..messages {
            self.write(Readers::Everybody).await?;
            self.arrivals.all_but(pending).await?;
        }
        Ok(self.arrivals.all().await? - began)
    }

    async fn write(&mut self, readers: Readers) -> Result<()> {
        self.written += 1;
        let (channel, number, copies) = match readers {
            Readers::Everybody => (OFFICIAL, self.written % self.writers.len(), self.size),
            Readers::Two => (self.direct.as_str(), 0, 2),
        };
        let (nonce, content) = (self.written.to_string(), "x".repeat(CONTENT));
        let send = json!({"op": "send", "channel_id": channel, "nonce": nonce, "content": content});
        self.arrivals.expect(copies);
        Ok(self.writers[number].write_all(&masked(&send)?).await?)
    }
}

/// Clients look for what has come again and again instead of sleeping, so that it costs the node nothing to wake them.
fn stay_awake() -> AbortOnDropHandle<()> {
    let look = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    AbortOnDropHandle::new(tokio::spawn(look))
}

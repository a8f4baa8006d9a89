//! Users who talk all the time while something happens to the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::client::{Ack, Chat, OFFICIAL};

/// Clients that listen, of which some talk in the official channel.
#[derive(Debug)]
pub struct Chatter {
    clients: Vec<Arc<Chat>>,
    stop: Arc<AtomicBool>,
    talkers: JoinSet<Result<Vec<Ack>>>,
}

impl Chatter {
    /// The first `talkers` of `clients` begin to talk, each a message after each `pause`.
    pub fn start(clients: Vec<Arc<Chat>>, talkers: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for (index, chat) in clients.iter().take(talkers).enumerate() {
            tasks.spawn(talk(chat.clone(), format!("talker {index}"), (stop.clone(), pause)));
        }
        Self { clients, stop, talkers: tasks }
    }

    /// Ends the talk. An error unless every message was acknowledged, and every client received everything up to the
    /// last one, once and in order. Returns the number of messages.
    pub async fn stop(mut self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acks = Vec::new();
        while let Some(talker) = self.talkers.join_next().await {
            acks.extend(talker.context("a talker broke")??);
        }
        let last = acks.iter().map(|ack| ack.position).max().context("nobody said anything")?;
        for chat in &self.clients {
            let what = format!("position {last} of the official channel arrives");
            chat.until(&what, |record| record.position(OFFICIAL) >= last).await?;
            chat.check()?;
            let record = chat.record();
            let received: Vec<&str> =
                record.messages(OFFICIAL).iter().map(|message| message.id.as_str()).collect();
            for ack in &acks {
                ensure!(received.contains(&ack.id.as_str()), "a client never got message {}", ack.id);
            }
        }
        Ok(acks.len())
    }
}

async fn talk(chat: Arc<Chat>, name: String, until: (Arc<AtomicBool>, Duration)) -> Result<Vec<Ack>> {
    let (stop, pause) = until;
    let mut acks = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let text = format!("{name}, message {}", acks.len());
        acks.push(chat.send(OFFICIAL, &text).await.with_context(|| format!("cannot send {text:?}"))?);
        tokio::time::sleep(pause).await;
    }
    Ok(acks)
}

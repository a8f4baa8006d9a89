//! Sending by request, for clients that cannot speak over their way: one message at a time, to any node.

use std::sync::Arc;
use std::time::Duration;

use chat_node::error::Problem;
use chat_node::protocol::frame::Draft;
use chat_node::protocol::message::{Message, User};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::wire::arrival;

pub struct Posts {
    sender: mpsc::UnboundedSender<Posted>,
    answers: mpsc::UnboundedReceiver<Posted>,
    under_way: bool,
}

/// What came of a message.
pub struct Posted {
    pub nonce: String,
    /// `None`: there was no answer.
    pub result: Option<Result<Message, Problem>>,
}

impl Posts {
    pub fn new() -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        Self { sender, answers, under_way: false }
    }

    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Sends a message to some node and waits `patience` for its answer.
    pub fn post(
        &mut self,
        (cluster, dice): (&Arc<Cluster>, &Dice),
        (author, draft): (&User, Draft),
        patience: Duration,
    ) {
        let Some((_, gateway, life)) = cluster.pick(dice) else { return };
        let (world, sender, author) = (Arc::clone(&cluster.world), self.sender.clone(), author.clone());
        self.under_way = true;
        tokio::spawn(async move {
            let nonce = draft.nonce.clone();
            let posting = async {
                sleep_until(arrival(&world)).await;
                life.runs().await;
                let result = gateway.channels.send(&author, draft).await;
                life.runs().await;
                sleep_until(arrival(&world)).await;
                result
            };
            let result = timeout(patience, posting).await.ok();
            let _ = sender.send(Posted { nonce, result });
        });
    }

    /// Waits for an answer. Nothing is lost if the future is dropped.
    pub async fn answer(&mut self) -> Posted {
        match self.answers.recv().await {
            Some(posted) => {
                self.under_way = false;
                posted
            }
            None => std::future::pending().await,
        }
    }
}

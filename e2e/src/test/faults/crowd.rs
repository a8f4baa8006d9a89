//! Users of one fleet, who talk in the official channel, in a group and to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::fleet::Fleet;
use crate::client::{Ack, Chat, OFFICIAL, User, now_ms};

/// Users of a fleet.
const USERS: usize = 9;
/// How many of them are in the group.
const IN_GROUP: usize = 5;
/// Between an ack and the user's next message.
const PAUSE: Duration = Duration::from_millis(700);

/// A user at a client.
pub struct Talker {
    /// The user.
    pub name: String,
    /// Their client.
    pub chat: Chat,
    /// The channels that they are in.
    pub channels: Vec<String>,
}

/// What was said and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where.
    pub channel: String,
    /// By whom.
    pub author: String,
    /// The text, which nobody says twice.
    pub content: String,
    /// The answer.
    pub ack: Ack,
    /// When it came, in ms since 1970.
    pub at_ms: u64,
}

/// Users who talk until they are told to stop.
pub struct Crowd {
    /// They.
    pub talkers: Vec<Arc<Talker>>,
    stop: Arc<AtomicBool>,
    talk: JoinSet<Result<Vec<Said>>>,
}

impl Crowd {
    /// Signs the users in, makes their channels, and lets them talk once everybody knows their own.
    pub async fn gather(fleet: &Fleet) -> Result<Self> {
        let name = |number| format!("talker-{number}");
        let users: Vec<User> = (0..USERS).map(|number| User::new(&name(number), &name(number))).collect();
        let mut talkers = Vec::new();
        for user in &users {
            let chat = Chat::sign_in(&fleet.gateway, &fleet.key, user).await?;
            talkers.push(Talker { name: user.id.clone(), chat, channels: vec![OFFICIAL.to_owned()] });
        }
        make_group(fleet, &users, &mut talkers).await?;
        make_pairs(fleet, &users, &mut talkers).await?;
        for talker in &talkers {
            for channel in &talker.channels {
                let what = format!("{} knows channel {channel}", talker.name);
                talker.chat.until(&what, |record| record.follows(channel)).await?;
            }
        }
        let talkers: Vec<Arc<Talker>> = talkers.into_iter().map(Arc::new).collect();
        let (mut talk, stop) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for talker in &talkers {
            talk.spawn(say_things(talker.clone(), stop.clone()));
        }
        Ok(Self { talkers, stop, talk })
    }

    /// Messages that arrived, at all users.
    pub fn deliveries(&self) -> usize {
        self.talkers.iter().map(|talker| talker.chat.record().deliveries()).sum()
    }

    /// The longest way of a message since then.
    pub fn slowest_since(&self, since_ms: u64) -> Duration {
        let slowest = self.talkers.iter().map(|talker| talker.chat.record().slowest_since(since_ms));
        slowest.max().unwrap_or_default()
    }

    /// An error if a user saw what must not happen, or cannot go on.
    pub fn check(&self) -> Result<()> {
        for talker in &self.talkers {
            talker
                .chat
                .check()
                .with_context(|| format!("{}; {}", talker.name, talker.chat.record().summary()))?;
        }
        Ok(())
    }

    /// Ends the talk; all that was acknowledged.
    pub async fn hush(&mut self) -> Result<Vec<Said>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut said = Vec::new();
        while let Some(one) = self.talk.join_next().await {
            said.extend(one.context("a talker broke")??);
        }
        Ok(said)
    }
}

async fn say_things(talker: Arc<Talker>, stop: Arc<AtomicBool>) -> Result<Vec<Said>> {
    let mut said = Vec::new();
    for (number, channel) in (0_usize..).zip(talker.channels.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let content = format!("{} says {number}", talker.name);
        let ack = talker.chat.send(channel, &content).await;
        let ack =
            ack.with_context(|| format!("{} cannot say {content:?} in channel {channel}", talker.name))?;
        said.push(Said {
            channel: channel.clone(),
            author: talker.name.clone(),
            content,
            ack,
            at_ms: now_ms(),
        });
        tokio::time::sleep(PAUSE).await;
    }
    Ok(said)
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

async fn make_group(fleet: &Fleet, users: &[User], talkers: &mut [Talker]) -> Result<()> {
    #[derive(Deserialize)]
    struct Channels {
        channels: Vec<Id>,
    }
    let token = fleet.key.token(&users[0])?;
    let group: Id =
        fleet.gateway.ask(Method::POST, "groups", (&token, Some(&json!({ "name": "Friends" })))).await?;
    for user in &users[1..IN_GROUP] {
        let path = format!("groups/{}/members/{}", group.id, user.id);
        let body = json!({ "role": "member" });
        let _: serde_json::Value = fleet.gateway.ask(Method::PUT, &path, (&token, Some(&body))).await?;
    }
    let path = format!("groups/{}/channels", group.id);
    let found: Channels = fleet.gateway.ask(Method::GET, &path, (&token, None)).await?;
    let channel = found.channels.first().context("the group has no channel")?;
    for talker in &mut talkers[..IN_GROUP] {
        talker.channels.push(channel.id.clone());
    }
    Ok(())
}

/// Every user and the next one have a channel of their own; the last one is alone.
async fn make_pairs(fleet: &Fleet, users: &[User], talkers: &mut [Talker]) -> Result<()> {
    for (pair, talkers) in users.chunks_exact(2).zip(talkers.chunks_exact_mut(2)) {
        let token = fleet.key.token(&pair[0])?;
        let body = json!({ "recipient_id": pair[1].id });
        let made: Id = fleet.gateway.ask(Method::POST, "users/@me/channels", (&token, Some(&body))).await?;
        for talker in talkers {
            talker.channels.push(made.id.clone());
        }
    }
    Ok(())
}

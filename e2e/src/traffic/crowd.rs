//! Users of one service, who talk in the official channel, in a group and to each other, each at a client that
//! reconnects, resumes, and sends again what was not acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;

use super::oracle::{self, Heard, Kept, Said};
use super::{Place, channels};
use crate::client::{Chat, OFFICIAL, PATIENCE, User, now_ms};
use crate::eventually::eventually;

/// How many talk, and how.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Users, all of whom are in the official channel.
    pub users: usize,
    /// How many of them are in the group; none is made for fewer than two.
    pub in_group: usize,
    /// Between an ack and the user's next message.
    pub pause: Duration,
}

/// A user at a client.
struct Talker {
    name: String,
    token: String,
    chat: Chat,
    channels: Vec<String>,
    /// Messages that were acknowledged.
    acks: AtomicUsize,
}

/// Users who talk until they are told to stop.
pub struct Crowd {
    talkers: Vec<Arc<Talker>>,
    stop: Arc<AtomicBool>,
    talk: JoinSet<Vec<Said>>,
    silenced: Arc<Mutex<Vec<String>>>,
}

/// What clients went through so far, all together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were acknowledged.
    pub said: usize,
    /// Messages that arrived.
    pub deliveries: usize,
    /// Times that a server asked a client to reconnect.
    pub asked: usize,
    /// Connections that ended otherwise.
    pub cut: usize,
    /// Commands that were refused.
    pub refused: usize,
}

impl Crowd {
    /// Signs the users in, makes their channels, and lets them talk once everybody knows their own.
    pub async fn gather(place: &Place, manner: Manner) -> Result<Self> {
        let name = |number| format!("talker-{number}");
        let users: Vec<User> =
            (0..manner.users).map(|number| User::new(&name(number), &name(number))).collect();
        let mut chats = Vec::new();
        for user in &users {
            chats.push(Chat::sign_in(&place.gateway, &place.key, user).await?);
        }
        let rooms = channels::make(place, &users, manner.in_group).await?;
        let mut talkers = Vec::new();
        for ((number, user), chat) in users.iter().enumerate().zip(chats) {
            let own = rooms.iter().filter(|(_, members)| members.contains(&number));
            let channels: Vec<String> =
                [OFFICIAL.to_owned()].into_iter().chain(own.map(|(id, _)| id.clone())).collect();
            for channel in &channels {
                let what = format!("{} knows channel {channel}", user.id);
                chat.until(&what, |record| record.follows(channel)).await?;
            }
            let (name, token, acks) = (user.id.clone(), place.key.token(user)?, AtomicUsize::new(0));
            talkers.push(Arc::new(Talker { name, token, chat, channels, acks }));
        }
        let mut crowd =
            Self { talkers, stop: Arc::default(), talk: JoinSet::new(), silenced: Arc::default() };
        for talker in &crowd.talkers {
            let until = (crowd.stop.clone(), manner.pause);
            crowd.talk.spawn(say_things(talker.clone(), until, crowd.silenced.clone()));
        }
        Ok(crowd)
    }

    /// What they went through so far.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for talker in &self.talkers {
            let record = talker.chat.record();
            tally.said += talker.acks.load(Ordering::Relaxed);
            tally.deliveries += record.deliveries();
            tally.asked += record.asked_to_reconnect;
            tally.cut += record.broken.len();
            tally.refused += record.refused.len();
        }
        tally
    }

    /// Why connections ended that no server had asked to end, from the `known`-th of each client on.
    pub fn cuts(&self) -> Vec<String> {
        let of = |talker: &Arc<Talker>| talker.chat.record().broken.clone();
        self.talkers.iter().flat_map(of).collect()
    }

    /// The longest way of a message since then.
    pub fn slowest_since(&self, since_ms: u64) -> Duration {
        let slowest = self.talkers.iter().map(|talker| talker.chat.record().slowest_since(since_ms));
        slowest.max().unwrap_or_default()
    }

    /// An error if a user saw what must not happen, or cannot go on.
    pub fn check(&self) -> Result<()> {
        let silenced = self.silenced.lock().unwrap_or_else(PoisonError::into_inner).join("; ");
        ensure!(silenced.is_empty(), "{silenced}");
        for talker in &self.talkers {
            talker
                .chat
                .check()
                .with_context(|| format!("{}; {}", talker.name, talker.chat.record().summary()))?;
        }
        Ok(())
    }

    /// Waits until every user has had another message acknowledged, and received one.
    pub async fn goes_on(&self) -> Result<()> {
        let now =
            |talker: &Talker| (talker.acks.load(Ordering::Relaxed), talker.chat.record().position(OFFICIAL));
        let before: Vec<_> = self.talkers.iter().map(|talker| now(talker)).collect();
        eventually("every user talks and hears", PATIENCE, || async {
            if let Err(wrong) = self.check() {
                return Ok(Err(wrong));
            }
            for (talker, before) in self.talkers.iter().zip(&before) {
                let (acks, position) = now(talker);
                let Talker { name, chat, .. } = &**talker;
                // The message that was under way does not count.
                ensure!(acks > before.0 + 1, "{name} gets no acks; {}", chat.record().summary());
                ensure!(position > before.1, "{name} hears nothing; {}", chat.record().summary());
            }
            Ok(Ok(()))
        })
        .await?
    }

    /// Ends the talk, and waits until every message is everywhere.
    pub async fn hush(&mut self) -> Result<Talk> {
        self.stop.store(true, Ordering::Relaxed);
        let mut talk = Talk::default();
        while let Some(said) = self.talk.join_next().await {
            for said in said.context("a talker broke")? {
                talk.said.entry(said.channel.clone()).or_default().push(said);
            }
        }
        self.check()?;
        for talker in &self.talkers {
            for channel in &talker.channels {
                let last = talk.last(channel);
                ensure!(last.is_some() || channel != OFFICIAL, "nobody said anything in channel {channel}");
                let what = format!("position {last:?} of channel {channel} arrives at {}", talker.name);
                talker.chat.until(&what, |record| Some(record.position(channel)) >= last).await?;
                talk.readers.insert(channel.clone(), talker.token.clone());
            }
        }
        Ok(talk)
    }

    /// Compares what was acknowledged and what arrived with what is kept of each channel.
    pub fn judge(&self, talk: &Talk, kept: &BTreeMap<String, Vec<Kept>>) -> Result<Tally> {
        self.check()?;
        let mut wrong = Vec::new();
        for channel in talk.readers.keys() {
            let members = self.talkers.iter().filter(|one| one.channels.contains(channel));
            let heard = members.map(|member| Heard {
                who: member.name.clone(),
                arrivals: member.chat.record().arrivals(channel),
            });
            let kept = kept.get(channel).with_context(|| format!("what is kept of channel {channel}?"))?;
            let said = talk.said.get(channel).map_or(&[][..], Vec::as_slice);
            wrong.extend(oracle::judge(said, kept, &heard.collect::<Vec<_>>()));
        }
        match wrong.first() {
            None => Ok(self.tally()),
            Some(first) => bail!("{} messages went wrong; the first: {first}", wrong.len()),
        }
    }
}

/// What was said, all in all.
#[derive(Debug, Default)]
pub struct Talk {
    /// The channels, each with the token of somebody who is in it.
    pub readers: BTreeMap<String, String>,
    said: BTreeMap<String, Vec<Said>>,
}

impl Talk {
    /// The last position that was acknowledged in a channel.
    fn last(&self, channel: &str) -> Option<u64> {
        self.said.get(channel)?.iter().map(|said| said.ack.position).max()
    }
}

impl Tally {
    /// What was added since an earlier look.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            said: self.said - earlier.said,
            deliveries: self.deliveries - earlier.deliveries,
            asked: self.asked - earlier.asked,
            cut: self.cut - earlier.cut,
            refused: self.refused - earlier.refused,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { said, deliveries, asked, cut, refused } = self;
        write!(
            f,
            "{said} messages, {deliveries} deliveries; connections: {asked} asked to move, {cut} cut; "
        )?;
        write!(f, "{refused} refusals")
    }
}

/// Talks until told to stop, or until a message is refused for good or not acknowledged in time.
async fn say_things(
    talker: Arc<Talker>,
    (stop, pause): (Arc<AtomicBool>, Duration),
    silenced: Arc<Mutex<Vec<String>>>,
) -> Vec<Said> {
    let mut said = Vec::new();
    for (number, channel) in (0_usize..).zip(talker.channels.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let content = format!("{} says {number}", talker.name);
        let ack = match talker.chat.send(channel, &content).await {
            Ok(ack) => ack,
            Err(error) => {
                let why = format!("{} cannot say {content:?} in channel {channel}: {error:#}", talker.name);
                silenced.lock().unwrap_or_else(PoisonError::into_inner).push(why);
                break;
            }
        };
        talker.acks.fetch_add(1, Ordering::Relaxed);
        let server = talker.chat.record().servers.last().copied().unwrap_or_default();
        let (channel, author) = (channel.clone(), talker.name.clone());
        said.push(Said { channel, author, server, content, ack, at_ms: now_ms() });
        tokio::time::sleep(pause).await;
    }
    said
}

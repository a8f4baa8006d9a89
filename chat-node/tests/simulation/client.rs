//! A client as the protocol asks for it: it keeps cursors, sends again under the same nonce until it has an answer,
//! goes where it is sent, and comes back to any node. It also leaves for no reason, and reads slowly at times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::protocol::message::{Entry, User};
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::{Cluster, token};
use crate::dice::Dice;
use crate::oracle::{Seen, stored};
use crate::trace::{ClientId, Event, Shown};
use crate::wire::{ClientEnd, Heard};
use crate::world::World;

/// How long a client waits for any frame before it tries another node.
const SILENCE: Duration = Duration::from_secs(40);
/// How long it waits for the answer to a send before it sends again.
const ANSWER: Duration = Duration::from_secs(12);
/// Messages that wait for their answers at a time.
const PENDING_MAX: usize = 4;

/// What a client knows, for those who watch it.
#[derive(Debug, Default)]
pub struct View {
    pub seen: BTreeMap<ChannelId, Seen>,
    pub pending: Vec<Draft>,
    pub is_ready: bool,
}

#[derive(Clone, Debug)]
pub struct Draft {
    pub channel: ChannelId,
    pub nonce: String,
    again_at: Instant,
}

pub struct Client {
    pub id: ClientId,
    user: User,
    others: Vec<User>,
    token: String,
    cluster: Arc<Cluster>,
    dice: Dice,
    view: Arc<Mutex<View>>,
    sent: u32,
    /// Messages that it still wants to write.
    left: u64,
}

/// Who a client is.
pub struct Person {
    pub id: ClientId,
    pub user: User,
    /// Whom it may write to.
    pub others: Vec<User>,
}

#[derive(Deserialize)]
struct Frame {
    op: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<serde_json::Value>,
    channels: Option<Vec<Listed>>,
    channel: Option<Listed>,
    channel_id: Option<ChannelId>,
    position: Option<Position>,
    nonce: Option<String>,
    id: Option<MessageId>,
    code: Option<String>,
    retry_after_ms: Option<u64>,
    delay_ms: Option<u64>,
    heads: Option<BTreeMap<ChannelId, Position>>,
}

#[derive(Deserialize)]
struct Told {
    id: MessageId,
    channel_id: ChannelId,
    position: Position,
    author: User,
    content: String,
    nonce: String,
}

#[derive(Deserialize)]
struct Listed {
    id: ChannelId,
    head: Position,
}

impl Client {
    pub fn new(person: Person, cluster: &Arc<Cluster>) -> (Self, Arc<Mutex<View>>) {
        let dice = cluster.world.dice.fork();
        let view = Arc::new(Mutex::new(View::default()));
        if dice.happens(0.5) {
            // It wants the whole official channel.
            view.lock().unwrap().seen.insert(ChannelId::OFFICIAL, Seen::starting_after(0));
        }
        let client = Self {
            id: person.id,
            token: token(&person.user),
            user: person.user,
            others: person.others,
            cluster: Arc::clone(cluster),
            view: Arc::clone(&view),
            sent: 0,
            left: dice.up_to(30),
            dice,
        };
        (client, view)
    }

    /// Lives as long as the run.
    pub async fn live(mut self) {
        let mut tries = 0;
        loop {
            let backoff = 100_u64 << tries.min(4);
            sleep(self.dice.ms(backoff / 2..backoff)).await;
            tries += 1;
            let Some((node, mut end)) = self.cluster.connect(&self.dice) else { continue };
            self.note(Event::Connects { client: self.id, node });
            let why = self.converse(&mut end).await;
            if std::mem::take(&mut self.view().is_ready) {
                tries = 0;
            }
            self.note(Event::Disconnected { client: self.id, why });
        }
    }

    async fn converse(&mut self, end: &mut ClientEnd) -> String {
        let mut silent_at = Instant::now() + SILENCE;
        let mut leave_at = None;
        let mut act_at = Instant::now() + self.dice.ms(1..2_000);
        loop {
            tokio::select! {
                biased;
                heard = end.hear() => match heard {
                    Heard::Frame(frame) => {
                        silent_at = Instant::now() + SILENCE;
                        if let Some(delay) = self.hears(&frame, end) {
                            leave_at = Some(Instant::now() + delay);
                        }
                    }
                    Heard::Closed(reason) => return format!("closed: {}", reason.text()),
                    Heard::Broken => return "broken".to_owned(),
                },
                () = sleep_until(act_at) => {
                    if self.acts(end).await {
                        return "it left".to_owned();
                    }
                    act_at = Instant::now() + self.dice.ms(20..3_000);
                }
                () = sleep_until(leave_at.unwrap_or(silent_at)) => {
                    return if leave_at.is_some() { "it was sent away" } else { "silence" }.to_owned();
                }
            }
        }
    }

    /// Takes in a frame; gives when to go, if that is what it says.
    fn hears(&mut self, text: &str, end: &ClientEnd) -> Option<Duration> {
        let frame: Frame = match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(error) => {
                self.wrong(format!("it cannot read {text}: {error}"), None);
                return None;
            }
        };
        match (frame.op.as_str(), frame.kind.as_deref()) {
            ("hello", _) => self.identify(end),
            ("ready", _) => self.begins(frame.channels.unwrap_or_default(), end),
            ("ack", _) => self.acked(&frame),
            ("event", Some("message_create")) => self.sees_message(frame.message.unwrap_or_default()),
            ("event", Some("void")) => {
                if let (Some(channel), Some(position)) = (frame.channel_id, frame.position) {
                    self.sees(channel, position, Shown::Void);
                }
            }
            ("event", Some("channel_create")) => self.gets(frame.channel),
            ("error", _) => self.refused(frame),
            ("heartbeat_ack", _) => self.hears_heads(&frame.heads.unwrap_or_default()),
            ("reconnect", _) => return Some(Duration::from_millis(frame.delay_ms.unwrap_or(0))),
            _ => {}
        }
        None
    }

    fn identify(&self, end: &ClientEnd) {
        let cursors: Vec<_> = self.view().seen.iter().map(|(id, seen)| (*id, seen.last)).collect();
        let named: Vec<_> = cursors.iter().map(|(id, last)| format!("\"{id}\":\"{last}\"")).collect();
        let (token, cursors) = (&self.token, named.join(","));
        end.say(format!("{{\"op\":\"identify\",\"token\":\"{token}\",\"cursors\":{{{cursors}}}}}"));
    }

    fn begins(&self, channels: Vec<Listed>, end: &ClientEnd) {
        let mut view = self.view();
        for Listed { id, head } in channels {
            view.seen.entry(id).or_insert_with(|| Seen::starting_after(head.0));
        }
        view.is_ready = true;
        let cursors = view.seen.iter().map(|(id, seen)| (*id, seen.last)).collect();
        drop(view);
        self.note(Event::Ready { client: self.id, cursors });
        self.send_pending(end, Instant::now() + Duration::from_secs(3_600));
    }

    fn gets(&self, channel: Option<Listed>) {
        if let Some(Listed { id, head }) = channel {
            self.view().seen.entry(id).or_insert_with(|| Seen::starting_after(head.0));
        }
    }

    fn sees_message(&self, message: serde_json::Value) {
        let told: Told = match serde_json::from_value(message) {
            Ok(told) => told,
            Err(error) => return self.wrong(format!("it cannot read a message: {error}"), None),
        };
        let there = self.world().store.tables().entry(told.channel_id, told.position);
        if let Some(Entry::Message(message)) = there {
            let same = message.author == told.author
                && message.content == told.content
                && message.nonce == told.nonce;
            if !same {
                let what = format!("the message at {} came with other words than stored", told.position);
                self.wrong(what, Some(told.channel_id));
            }
        }
        self.sees(told.channel_id, told.position, Shown::Message(told.id));
    }

    fn sees(&self, channel: ChannelId, position: Position, shown: Shown) {
        self.note(Event::Sees { client: self.id, channel, position: position.0, shown });
        let stored = stored(&self.world().store.tables(), channel, position.0);
        let mut view = self.view();
        let result = match view.seen.get_mut(&channel) {
            Some(seen) => seen.take(position.0, shown, stored),
            None => Err(format!("{position} came, of a channel that it does not have")),
        };
        drop(view);
        if let Err(what) = result {
            self.wrong(what, Some(channel));
        }
    }

    fn acked(&self, frame: &Frame) {
        let (Some(nonce), Some(id), Some(position)) = (&frame.nonce, frame.id, frame.position) else {
            return self.wrong("an ack lacks a field".to_owned(), None);
        };
        self.note(Event::Acked { client: self.id, nonce: nonce.clone(), id, position });
        let mut view = self.view();
        let Some(index) = view.pending.iter().position(|draft| draft.nonce == *nonce) else { return };
        let channel = view.pending.remove(index).channel;
        drop(view);
        self.world().oracle.acked((channel, &self.user.id, nonce), (id, position));
    }

    /// The server says how far it has told.
    fn hears_heads(&self, heads: &BTreeMap<ChannelId, Position>) {
        for (channel, head) in heads {
            let last = self.view().seen.get(channel).map_or(0, |seen| seen.last);
            if last < head.0 {
                self.wrong(format!("it was told up to {head}, but has seen only {last}"), Some(*channel));
            }
        }
    }

    fn refused(&self, frame: Frame) {
        let (nonce, code) = (frame.nonce, frame.code.unwrap_or_default());
        let again_at = Instant::now() + Duration::from_millis(frame.retry_after_ms.unwrap_or(1_000));
        for draft in &mut self.view().pending {
            if Some(&draft.nonce) == nonce.as_ref() {
                draft.again_at = again_at;
            }
        }
        if !matches!(code.as_str(), "unavailable" | "rate_limited") {
            self.wrong(format!("it was refused with {code}"), None);
        }
        self.note(Event::Refused { client: self.id, nonce, code });
    }

    /// Does something, or nothing; `true`: it leaves.
    async fn acts(&mut self, end: &ClientEnd) -> bool {
        if !self.view().is_ready {
            return false;
        }
        match if self.world().weather().calm { 99 } else { self.dice.up_to(99) } {
            0..60 => (0..=self.dice.up_to(2)).for_each(|_| self.writes()),
            60..63 => return true,
            63..66 => sleep(self.dice.ms(500..30_000)).await,
            66..74 => self.opens_direct().await,
            _ => end.say(r#"{"op":"heartbeat"}"#.to_owned()),
        }
        self.send_pending(end, Instant::now());
        false
    }

    fn writes(&mut self) {
        let channels: Vec<_> = self.view().seen.keys().copied().collect();
        let Some(channel) = self.dice.pick(&channels).copied() else { return };
        if self.left == 0 || self.view().pending.len() >= PENDING_MAX {
            return;
        }
        self.left -= 1;
        self.sent += 1;
        let nonce = format!("{}-{}", self.id.0, self.sent);
        let draft = Draft { channel, nonce, again_at: Instant::now() };
        self.view().pending.push(draft);
    }

    /// Sends what is due at this moment.
    fn send_pending(&self, end: &ClientEnd, due: Instant) {
        for draft in &mut self.view().pending {
            if draft.again_at > due {
                continue;
            }
            draft.again_at = Instant::now() + ANSWER;
            let Draft { channel, nonce, .. } = draft;
            self.note(Event::Sends { client: self.id, channel: *channel, nonce: nonce.clone() });
            end.say(format!(
                "{{\"op\":\"send\",\"channel_id\":\"{channel}\",\"nonce\":\"{nonce}\",\"content\":\"hi {nonce}\"}}"
            ));
        }
    }

    /// Opens a direct channel as over REST; it hears of it over its connection.
    async fn opens_direct(&self) {
        let Some(other) = self.dice.pick(&self.others) else { return };
        let Some((_, gateway, life)) = self.cluster.pick(&self.dice) else { return };
        let open = async {
            life.step().await;
            let opened = gateway.channels.open_direct(&self.user, &other.id).await;
            life.step().await;
            opened.ok().map(|channel| channel.id)
        };
        let channel = tokio::time::timeout(Duration::from_secs(5), open).await.unwrap_or(None);
        self.note(Event::Opened { client: self.id, channel });
    }

    fn wrong(&self, what: String, channel: Option<ChannelId>) {
        let what = format!("{} ({}): {what}", self.id, self.user.id);
        self.world().oracle.wrong(what, channel, Some(self.id));
    }

    fn note(&self, event: Event) {
        self.world().trace.note(event);
    }

    fn world(&self) -> &World {
        &self.cluster.world
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

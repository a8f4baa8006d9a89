//! A client as the protocol asks for it: it keeps cursors, sends again under the same nonce until it has an answer,
//! goes where it is sent, and comes back to any node. It also leaves for no reason, and reads slowly at times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_node::channels::change::Edit;
use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::protocol::message::{Entry, User};
use chat_node::store::ChannelKind;
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
    /// What it had seen of channels that it does not have any more.
    pub lost: Vec<(ChannelId, Seen)>,
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
    /// Its messages.
    own: Mutex<Vec<(ChannelId, MessageId)>>,
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
            own: Mutex::default(),
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
            ("event", Some("void")) => self.sees_entry(&frame, Shown::Void),
            ("event", Some("message_update" | "message_delete" | "reaction" | "pin" | "channel_update")) => {
                self.sees_entry(&frame, Shown::Change);
            }
            ("event", Some("channel_create")) => self.gets(frame.channel),
            ("event", Some("channel_delete")) => self.loses(frame.channel_id),
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
        let gone = view.seen.extract_if(.., |id, _| channels.iter().all(|listed| listed.id != *id));
        let gone: Vec<_> = gone.collect();
        view.lost.extend(gone);
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
            self.note(Event::Gets { client: self.id, channel: id, after: head.0 });
            self.view().seen.entry(id).or_insert_with(|| Seen::starting_after(head.0));
        }
    }

    fn loses(&self, channel: Option<ChannelId>) {
        let Some(channel) = channel else { return };
        self.note(Event::Loses { client: self.id, channel });
        let mut view = self.view();
        if let Some(seen) = view.seen.remove(&channel) {
            view.lost.push((channel, seen));
        }
    }

    fn sees_entry(&self, frame: &Frame, shown: Shown) {
        if let (Some(channel), Some(position)) = (frame.channel_id, frame.position) {
            self.sees(channel, position, shown);
        }
    }

    fn sees_message(&self, message: serde_json::Value) {
        let told: Told = match serde_json::from_value(message) {
            Ok(told) => told,
            Err(error) => return self.wrong(format!("it cannot read a message: {error}"), None),
        };
        let there = self.world().store.tables().entry(told.channel_id, told.position);
        if let Some(Entry::Message(message)) = there {
            // It may have been edited on its way.
            let same_words = message.content == told.content || message.edited_ms.is_some();
            let same = message.author == told.author && message.nonce == told.nonce && same_words;
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
        if shown != Shown::Void {
            // That a position holds nothing says nothing to anybody.
            self.world().oracle.shown(&self.user.id, (channel, position.0), self.id);
        }
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
        self.own().push((channel, id));
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
        let mut view = self.view();
        let index = view.pending.iter().position(|draft| Some(&draft.nonce) == nonce.as_ref());
        match (code.as_str(), index) {
            ("unavailable" | "rate_limited", Some(index)) => view.pending[index].again_at = again_at,
            // Nobody may be put out of a direct channel.
            ("unknown_channel" | "forbidden", Some(index))
                if !self.is_direct(view.pending[index].channel) =>
            {
                view.pending.remove(index);
            }
            (_, Some(_)) => {
                drop(view);
                self.wrong(format!("{nonce:?} was refused with {code}"), None);
            }
            (_, None) => {}
        }
        self.note(Event::Refused { client: self.id, nonce, code });
    }

    fn is_direct(&self, channel: ChannelId) -> bool {
        let kind = self.world().store.tables().channel(channel).map(|channel| channel.kind);
        matches!(kind, Some(ChannelKind::Direct(_)))
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
            66..72 => self.opens_direct().await,
            72..80 => self.changes().await,
            _ => end.say(r#"{"op":"heartbeat"}"#.to_owned()),
        }
        self.send_pending(end, Instant::now());
        false
    }

    fn writes(&mut self) {
        let mut channels: Vec<_> = self.view().seen.keys().copied().collect();
        // Some write to where they are out.
        channels.extend(self.view().lost.last().map(|(channel, _)| *channel));
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

    /// Changes one of its messages as over REST.
    async fn changes(&self) {
        let own = self.own().clone();
        let Some((channel, message)) = self.dice.pick(&own).copied() else { return };
        let Some((_, gateway, life)) = self.cluster.pick(&self.dice) else { return };
        let (at, kind) = ((channel, message), self.dice.up_to(3));
        let how = ["reacts", "takes it back", "edits", "deletes"][kind as usize];
        self.note(Event::Changes { client: self.id, message, how });
        let change = async {
            life.runs().await;
            match kind {
                0 | 1 => gateway.channels.react(&self.user, at, ("👍".parse().unwrap(), kind == 0)).await,
                2 => {
                    let content = Some(format!("hi again, {}", self.dice.up_to(99)));
                    gateway.channels.edit(&self.user, at, Edit { content, ..Edit::default() }).await.map(drop)
                }
                _ => gateway.channels.delete(&self.user, at).await,
            }
        };
        // Whatever comes of it is seen in the channel.
        let _ = tokio::time::timeout(Duration::from_secs(5), change).await;
    }

    fn own(&self) -> MutexGuard<'_, Vec<(ChannelId, MessageId)>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
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

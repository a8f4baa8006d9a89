//! What a client does by itself.

use std::time::Duration;

use chat_node::channels::change::Edit;
use chat_node::protocol::frame;
use chat_node::protocol::message::Composed;
use tokio::time::{Instant, sleep};

use super::Client;
use super::view::Draft;
use super::way::Way;
use crate::trace::Event;
use crate::wire::ClientEnd;

/// How long it waits for the answer to a message before it sends that again.
const ANSWER: Duration = Duration::from_secs(12);
/// Messages that wait for their answers at a time.
const PENDING_MAX: usize = 4;

impl Client {
    /// Does something, or nothing; `true`: it leaves.
    pub(super) async fn acts(&mut self, way: &Way) -> bool {
        if !self.view().is_ready {
            return false;
        }
        match if self.world().weather().calm { 99 } else { self.dice.up_to(99) } {
            0..60 => (0..=self.dice.up_to(2)).for_each(|_| self.writes()),
            60..63 => return true,
            63..66 => sleep(self.dice.ms(500..30_000)).await,
            66..72 => self.opens_direct().await,
            72..80 => self.changes().await,
            _ => {
                if let Way::Socket(end) = way {
                    end.say(r#"{"op":"heartbeat"}"#.to_owned());
                }
            }
        }
        self.sends_due(way);
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
        let draft = Draft { channel, nonce, due: Instant::now(), is_sent: false };
        self.view().pending.push(draft);
    }

    /// Sends all that is not acked: who answers what was said over another connection?
    pub(super) fn sends_all(&mut self, way: &Way) {
        for draft in &mut self.view().pending {
            draft.due = Instant::now();
        }
        self.sends_due(way);
    }

    /// Sends what is due; by request one message after the other.
    fn sends_due(&mut self, way: &Way) {
        let now = Instant::now();
        let mut due = self.view().pending.clone();
        due.retain(|draft| draft.due <= now);
        match way {
            Way::Socket(end) => due.iter().for_each(|draft| self.says(draft, end)),
            Way::Stream(_) | Way::Poll(_) => {
                if let Some(draft) = due.first().filter(|_| !self.posts.is_under_way()) {
                    self.posts(draft);
                }
            }
        }
    }

    fn says(&mut self, draft: &Draft, end: &ClientEnd) {
        let Draft { channel, nonce, is_sent, .. } = draft;
        if *is_sent {
            self.line.repeats(nonce)
        } else {
            self.line.says(nonce)
        }
        self.is_sending(draft);
        end.say(format!(
            "{{\"op\":\"send\",\"channel_id\":\"{channel}\",\"nonce\":\"{nonce}\",\"content\":\"hi {nonce}\"}}"
        ));
    }

    fn posts(&mut self, draft: &Draft) {
        self.line.repeats(&draft.nonce);
        self.is_sending(draft);
        let composed = Composed { content: format!("hi {}", draft.nonce), ..Composed::default() };
        let draft = frame::Draft { channel_id: draft.channel, nonce: draft.nonce.clone(), composed };
        self.posts.post((&self.cluster, &self.dice), (&self.user, draft), ANSWER);
    }

    fn is_sending(&self, draft: &Draft) {
        let Draft { channel, nonce, .. } = draft;
        self.note(Event::Sends { client: self.id, channel: *channel, nonce: nonce.clone() });
        self.world().oracle.sends((*channel, &self.user.id, nonce));
        if let Some(draft) = self.view().draft(nonce) {
            (draft.due, draft.is_sent) = (Instant::now() + ANSWER, true);
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
}

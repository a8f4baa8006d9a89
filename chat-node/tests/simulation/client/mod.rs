//! A client as the protocol asks for it: it keeps cursors, sends again under the same nonce until it has an answer,
//! goes where it is sent, and comes back to any node, in any way. It also leaves for no reason, and reads slowly at times.

mod act;
mod frame;
mod hear;
mod line;
mod poll;
mod posts;
mod stream;
mod view;
mod way;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_node::ids::{ChannelId, MessageId};
use chat_node::protocol::message::User;
use tokio::time::{Instant, sleep, sleep_until};

use self::line::Line;
use self::posts::Posts;
pub use self::view::View;
use self::way::{Asking, Heard, Way};
use crate::cluster::{Cluster, token};
use crate::dice::Dice;
use crate::trace::{ClientId, Event};
use crate::world::World;

/// How long a client waits for any sign of life before it tries another node.
const SILENCE: Duration = Duration::from_secs(40);
/// Longest pause between two things that it does when it only does what it must, in ms.
const CALM_MS: u64 = 3_000;

pub struct Client {
    id: ClientId,
    user: User,
    others: Vec<User>,
    token: String,
    cluster: Arc<Cluster>,
    dice: Dice,
    view: Arc<Mutex<View>>,
    /// Its messages.
    own: Mutex<Vec<(ChannelId, MessageId)>>,
    /// What it has said over its present connection.
    line: Line,
    posts: Posts,
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

impl Client {
    pub fn new(person: Person, cluster: &Arc<Cluster>) -> (Self, Arc<Mutex<View>>) {
        let dice = cluster.world.dice.fork();
        let mut view = View::default();
        if dice.happens(0.5) {
            view.wants_all(ChannelId::OFFICIAL);
        }
        let view = Arc::new(Mutex::new(view));
        let client = Self {
            id: person.id,
            token: token(&person.user),
            user: person.user,
            others: person.others,
            cluster: Arc::clone(cluster),
            view: Arc::clone(&view),
            own: Mutex::default(),
            line: Line::default(),
            posts: Posts::new(),
            sent: 0,
            left: dice.up_to(40),
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
            let cursors = self.view().cursors();
            let Some((way, node)) = Way::open(self.asking(), &cursors) else { continue };
            self.note(Event::Connects { client: self.id, node });
            node.into_iter().for_each(|node| self.world().arrives(&self.user.id, node));
            let why = self.converse(way).await;
            if std::mem::take(&mut self.view().is_ready) {
                tries = 0;
            }
            self.note(Event::Disconnected { client: self.id, why });
        }
    }

    /// Hears and acts until it goes or has to; gives why.
    async fn converse(&mut self, mut way: Way) -> String {
        self.line = Line::default();
        let view = Arc::clone(&self.view);
        let mut silent_at = Instant::now() + SILENCE;
        let mut leave_at = None;
        let mut act_at = self.next_act();
        loop {
            tokio::select! {
                biased;
                heard = way.hear(&view) => {
                    silent_at = Instant::now() + SILENCE;
                    match heard {
                        Heard::Frame(frame) => leave_at = self.hears(*frame, &way).or(leave_at),
                        Heard::Page(page) => leave_at = self.hears_page(page, &way).or(leave_at),
                        Heard::SignOfLife => {}
                        Heard::Nonsense(what) => self.wrong(format!("it cannot read {what}"), None),
                        Heard::End(why) => return why,
                    }
                }
                posted = self.posts.answer() => self.posted(posted),
                () = sleep_until(act_at) => {
                    if self.acts(&way).await {
                        return "it left".to_owned();
                    }
                    act_at = self.next_act();
                }
                () = sleep_until(leave_at.unwrap_or(silent_at)) => {
                    return if leave_at.is_some() { "it was sent away" } else { "silence" }.to_owned();
                }
            }
        }
    }

    fn next_act(&self) -> Instant {
        let world = self.world();
        let longest = if world.weather().calm { CALM_MS } else { world.pace_ms };
        world.on_the_beat(Instant::now() + self.dice.ms(1..longest))
    }

    fn asking(&self) -> Asking {
        Asking { cluster: Arc::clone(&self.cluster), dice: self.dice.fork(), token: self.token.clone() }
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

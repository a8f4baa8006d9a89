//! The store as one node reaches it: late, not at all, or with an answer that is lost on the way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_node::bus::{Audience, Envelope, Notice};
use chat_node::ids::{ChannelId, MessageId, Position, UserId};
use chat_node::protocol::message::{Entry, Message, User};
use chat_node::store::{Channel, ChannelKind, Inserted, Lease, Reservation, Store, StoreError};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::flaw::Flaw;
use crate::life::Life;
use crate::model::{Model, Tables};
use crate::node_bus::NodeBus;
use crate::trace::Event;
use crate::world::World;

/// How long a node waits for a store that does not answer, at least and at most, in ms.
const GIVES_UP_MS: std::ops::Range<u64> = 300..3_000;
/// How long after the caller has given up a late write may still take effect, in ms.
const LATE_MS: std::ops::Range<u64> = 1..6_000;

#[derive(Debug)]
pub struct Remote {
    pub world: Arc<World>,
    pub life: Arc<Life>,
    pub bus: Arc<NodeBus>,
    pub dice: Dice,
}

/// How long a write that stalls takes, in ms; a reader waits 250 ms before it seals.
const STALL_MS: std::ops::Range<u64> = 100..1_500;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    AnswerLost,
    Late,
}

fn lost() -> StoreError {
    StoreError::Unavailable("a fault of the simulation".to_owned())
}

impl Remote {
    /// A call that reads: it can only fail.
    async fn read<T>(
        &self,
        call: &'static str,
        read: impl FnOnce(&mut Tables) -> T,
    ) -> Result<T, StoreError> {
        let fate = self.before(call).await?;
        let value = read(&mut self.world.store.tables());
        let fate = if fate == Fate::Late { Fate::AnswerLost } else { fate };
        self.after(call, fate).await.map(|()| value)
    }

    /// A call that writes: if it fails, it may have taken effect or not, or do so later.
    async fn write<T>(
        &self,
        call: &'static str,
        write: impl FnOnce(&Model) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let fate = self.before(call).await?;
        let stalls = self.world.weather().store_stalls;
        if self.dice.happens(stalls) {
            sleep(self.dice.ms(STALL_MS)).await;
            self.life.step().await;
        }
        if fate == Fate::Late {
            let (store, delay) = (self.world.store.clone(), self.dice.ms(LATE_MS));
            tokio::spawn(async move {
                sleep(delay).await;
                // Nobody hears of it any more.
                let _ = write(&store);
            });
            return self.after(call, Fate::AnswerLost).await.and_then(|()| Err(lost()));
        }
        let done = write(&self.world.store);
        self.after(call, fate).await.and(done)
    }

    /// The way to the store.
    async fn before(&self, call: &'static str) -> Result<Fate, StoreError> {
        self.life.step().await;
        let (way, down, fails, late) = {
            let weather = self.world.weather();
            let down = weather.store_down || weather.cut_off.contains(&self.life.node);
            (weather.store_ms, down, weather.store_fails, weather.store_late)
        };
        sleep(Duration::from_millis(self.dice.up_to(way))).await;
        self.life.runs().await;
        let fate = if down {
            return self.fail(call, "no answer").await;
        } else if self.dice.happens(fails) {
            if self.dice.happens(0.5) {
                return self.fail(call, "before").await;
            }
            Fate::AnswerLost
        } else if self.dice.happens(late) {
            Fate::Late
        } else {
            Fate::Answered
        };
        Ok(fate)
    }

    /// The way back.
    async fn after(&self, call: &'static str, fate: Fate) -> Result<(), StoreError> {
        self.life.step().await;
        if fate != Fate::Answered {
            return self.fail(call, "after").await;
        }
        let way = self.world.weather().store_ms;
        sleep(Duration::from_millis(self.dice.up_to(way))).await;
        self.life.runs().await;
        Ok(())
    }

    async fn fail<T>(&self, call: &'static str, how: &'static str) -> Result<T, StoreError> {
        sleep(self.dice.ms(GIVES_UP_MS)).await;
        self.life.runs().await;
        self.world.trace.note(Event::StoreFails { node: self.life.node, call, how });
        Err(lost())
    }

    /// Stores entries, perhaps not all at the same moment; gives the outcomes in the order of the entries.
    async fn insert_in_parts(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        let order = self.dice.order(entries.len());
        let (first, second) = order.split_at(self.dice.up_to(entries.len() as u64) as usize);
        let mut outcomes = vec![Inserted::New; entries.len()];
        for index in first {
            outcomes[*index] = self.insert_now(std::slice::from_ref(&entries[*index])).remove(0);
        }
        self.life.step().await;
        sleep(self.dice.ms(0..700)).await;
        self.life.step().await;
        if self.dice.happens(0.2) {
            return self.fail("insert", "half-way").await;
        }
        for index in second {
            outcomes[*index] = self.insert_now(std::slice::from_ref(&entries[*index])).remove(0);
        }
        Ok(outcomes)
    }

    fn insert_now(&self, entries: &[Entry]) -> Vec<Inserted> {
        insert(&self.world, &self.life, entries)
    }

    fn tell_before_storing(&self, entries: &[Entry]) {
        for entry in entries {
            let Entry::Message(message) = entry else { continue };
            let kind = self.world.store.tables().channel(message.channel_id).map(|channel| channel.kind);
            let users = match kind {
                Some(ChannelKind::Direct(users)) => Some(users),
                _ => None,
            };
            let audience = match &users {
                None => Audience::Everyone,
                Some(members) => Audience::Channel { id: message.channel_id, members },
            };
            let notice = Notice::Message { message: message.clone(), users: users.clone() };
            self.bus.tell(&Envelope::new(notice), audience);
        }
    }
}

/// An insert at the store itself, under the eyes of the oracle.
fn insert(world: &World, life: &Life, entries: &[Entry]) -> Vec<Inserted> {
    let mut tables = world.store.tables();
    for entry in entries {
        world.oracle.attempted(entry, life.node);
        match (world.flaw, entry) {
            (Some(Flaw::SealsReplace), Entry::Void { channel_id, position }) => {
                tables.forget(*channel_id, *position);
            }
            (Some(Flaw::LateWritersReplace), Entry::Message(message)) => {
                let there = tables.entry(message.channel_id, message.position);
                if matches!(there, Some(Entry::Void { .. })) {
                    tables.forget(message.channel_id, message.position);
                }
            }
            (Some(Flaw::NoncesRepeat), Entry::Message(message)) => tables.forget_nonce(message),
            _ => {}
        }
    }
    let outcomes = tables.insert(entries);
    drop(tables);
    note(world, life, entries, &outcomes);
    outcomes
}

fn note(world: &World, life: &Life, entries: &[Entry], outcomes: &[Inserted]) {
    let letter = |(entry, outcome): (&Entry, &Inserted)| match (entry, outcome) {
        (Entry::Void { .. }, Inserted::New) => 'V',
        (_, Inserted::New) => 'N',
        (_, Inserted::PositionTaken) => 'p',
        (_, Inserted::IdTaken) => 'i',
        (_, Inserted::Known(_)) => 'k',
    };
    let Some(first) = entries.first() else { return };
    world.trace.note(Event::Stored {
        node: life.node,
        channel: first.channel(),
        positions: entries.iter().map(|entry| entry.position().0).collect(),
        outcome: entries.iter().zip(outcomes).map(letter).collect(),
    });
}

#[async_trait]
impl Store for Remote {
    async fn prepare(&self, official_name: &str) -> Result<(), StoreError> {
        let name = official_name.to_owned();
        self.write("prepare", move |store| store.prepare_now(&name)).await
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        let fate = self.before("now").await?;
        let now_ms = self.world.store.wall_ms();
        self.after("now", fate).await.map(|()| now_ms)
    }

    async fn lease_acquire(&self, holder: &str, ttl_ms: u64) -> Result<Lease, StoreError> {
        let (holder, flaw) = (holder.to_owned(), self.world.flaw);
        self.write("lease_acquire", move |store| {
            let now_ms = store.wall_ms();
            let mut tables = store.tables();
            if flaw == Some(Flaw::OneServerId) {
                tables.free_lease(0);
            }
            tables.lease_acquire(&holder, now_ms, ttl_ms)
        })
        .await
    }

    async fn lease_renew(&self, lease: &Lease, ttl_ms: u64, use_until_ms: u64) -> Result<bool, StoreError> {
        let (lease, flaw) = (*lease, self.world.flaw);
        self.write("lease_renew", move |store| {
            let expires_ms = store.wall_ms() + ttl_ms;
            let held = store.tables().lease_renew(&lease, expires_ms, use_until_ms);
            Ok(held || flaw == Some(Flaw::OneServerId))
        })
        .await
    }

    async fn lease_release(&self, lease: &Lease, used_until_ms: u64) -> Result<(), StoreError> {
        let lease = *lease;
        self.write("lease_release", move |store| {
            store.tables().lease_release(&lease, used_until_ms);
            Ok(())
        })
        .await
    }

    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        let user = user.clone();
        self.write("put_user", move |store| {
            store.tables().put_user(&user);
            Ok(())
        })
        .await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.read("user", |tables| tables.user(id)).await
    }

    async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        self.read("channel", |tables| tables.channel(id)).await
    }

    async fn heads(&self, ids: &[ChannelId]) -> Result<Vec<(ChannelId, Position)>, StoreError> {
        self.read("heads", |tables| tables.heads(ids)).await
    }

    async fn direct_channels(&self, user: &UserId) -> Result<Vec<Channel>, StoreError> {
        self.read("direct_channels", |tables| tables.direct_channels(user)).await
    }

    async fn open_direct(&self, id: ChannelId, users: &[UserId; 2]) -> Result<Channel, StoreError> {
        let users = users.clone();
        self.world.oracle.made(id, self.life.node);
        self.write("open_direct", move |store| store.tables().open_direct(id, &users)).await
    }

    async fn reserve(&self, channel: ChannelId, count: u16, now_ms: u64) -> Result<Reservation, StoreError> {
        let (world, node) = (Arc::clone(&self.world), self.life.node);
        self.write("reserve", move |store| {
            let reserved = store.tables().reserve(channel, count, now_ms)?;
            world.trace.note(Event::Reserved { node, channel, first: reserved.first.0, count });
            Ok(reserved)
        })
        .await
    }

    async fn insert(&self, entries: &[Entry]) -> Result<Vec<Inserted>, StoreError> {
        if self.world.flaw == Some(Flaw::TellsBeforeStoring) {
            self.tell_before_storing(entries);
        }
        let torn = self.world.weather().store_torn;
        if entries.len() > 1 && self.dice.happens(torn) {
            let fate = self.before("insert").await?;
            let outcomes = self.insert_in_parts(entries).await?;
            return self.after("insert", fate).await.map(|()| outcomes);
        }
        let (world, life) = (Arc::clone(&self.world), Arc::clone(&self.life));
        let entries = entries.to_vec();
        self.write("insert", move |_| Ok(insert(&world, &life, &entries))).await
    }

    async fn find_nonce(
        &self,
        channel: ChannelId,
        author: &UserId,
        nonce: &str,
    ) -> Result<Option<Message>, StoreError> {
        self.read("find_nonce", |tables| tables.find_nonce(channel, author, nonce)).await
    }

    async fn entries_after(
        &self,
        channel: ChannelId,
        after: Position,
        limit: u16,
    ) -> Result<Vec<Entry>, StoreError> {
        self.read("entries_after", |tables| tables.entries_after(channel, after, limit)).await
    }

    async fn history(
        &self,
        channel: ChannelId,
        before: Option<MessageId>,
        limit: u16,
    ) -> Result<Vec<Message>, StoreError> {
        self.read("history", |tables| tables.history(channel, before, limit)).await
    }
}

//! The store as one node reaches it: late, not at all, or with an answer that is lost on the way.

use std::sync::Arc;
use std::time::Duration;

use chat_node::bus::{Audience, Envelope, Notice};
use chat_node::protocol::message::Entry;
use chat_node::store::bucket::BucketLength;
use chat_node::store::{ChannelKind, Inserted, StoreError};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::flaw::Flaw;
use crate::life::Life;
use crate::model::{Access, Reach, Tables};
use crate::node_bus::NodeBus;
use crate::trace::{Event, NodeId};
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
        read: impl FnOnce(&mut Tables) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let fate = self.before(call).await?;
        let value = read(&mut self.world.store.tables());
        let fate = if fate == Fate::Late { Fate::AnswerLost } else { fate };
        self.after(call, fate).await.and(value)
    }

    /// A call that writes: if it fails, it may have taken effect or not, or do so later.
    async fn write<T>(
        &self,
        call: &'static str,
        write: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let fate = self.before(call).await?;
        let stalls = self.world.weather().store_stalls;
        if self.dice.happens(stalls) {
            sleep(self.dice.ms(STALL_MS)).await;
            self.life.step().await;
        }
        if fate == Fate::Late {
            let (world, delay) = (Arc::clone(&self.world), self.dice.ms(LATE_MS));
            tokio::spawn(async move {
                sleep(delay).await;
                // Nobody hears of it any more.
                let _ = write(&mut world.store.tables());
            });
            return self.after(call, Fate::AnswerLost).await.and_then(|()| Err(lost()));
        }
        let done = write(&mut self.world.store.tables());
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
        } else if self.dice.happens(late.max(self.world.flaw.map_or(0.0, |flaw| flaw.delays(call)))) {
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
        insert(&mut self.world.store.tables(), (&self.world, self.life.node), entries)
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
            let notice = Notice::entry(entry.clone(), users.clone());
            self.bus.tell(&Envelope::new(notice), audience);
        }
    }
}

/// An insert at the store itself, under the eyes of the oracle.
fn insert(tables: &mut Tables, (world, node): (&World, NodeId), entries: &[Entry]) -> Vec<Inserted> {
    for entry in entries {
        world.oracle.attempted(entry, node);
        if let Some(flaw) = world.flaw {
            flaw.before_insert(entry, tables);
        }
    }
    let outcomes = tables.insert(entries);
    for (entry, _) in entries.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Inserted::New) {
        world.oracle.stored(entry);
    }
    note(world, node, entries, &outcomes);
    outcomes
}

fn note(world: &World, node: NodeId, entries: &[Entry], outcomes: &[Inserted]) {
    let letter = |(entry, outcome): (&Entry, &Inserted)| match (entry, outcome) {
        (Entry::Void { .. }, Inserted::New) => 'V',
        (_, Inserted::New) => 'N',
        (_, Inserted::PositionTaken) => 'p',
        (_, Inserted::IdTaken) => 'i',
        (_, Inserted::Known(_)) => 'k',
    };
    let Some(first) = entries.first() else { return };
    world.trace.note(Event::Stored {
        node,
        channel: first.channel(),
        positions: entries.iter().map(|entry| entry.position().0).collect(),
        outcome: entries.iter().zip(outcomes).map(letter).collect(),
    });
}

impl Reach for Remote {
    async fn call<T: Send + 'static>(
        &self,
        (call, access): (&'static str, Access),
        act: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let flaw = self.world.flaw;
        let act = move |tables: &mut Tables| match flaw {
            Some(flaw) => flaw.call(call, tables, act),
            None => act(tables),
        };
        if call == "heads" {
            self.life.begins_to_look();
        }
        let done = match access {
            Access::Reads => self.read(call, act).await,
            Access::Writes => self.write(call, act).await,
        };
        if call == "heads" {
            self.life.has_looked();
        }
        done
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
        let (world, node, entries) = (Arc::clone(&self.world), self.life.node, entries.to_vec());
        let write = move |tables: &mut Tables| Ok(insert(tables, (&world, node), &entries));
        self.write("insert", write).await
    }

    fn bucket(&self) -> BucketLength {
        BucketLength::default()
    }
}

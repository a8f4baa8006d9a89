//! One run: a cluster, clients and faults from one seed; then calm, in which everyone must come to the same end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat_node::ids::Position;
use chat_node::protocol::message::User;
use tokio::time::{Instant, sleep};

use crate::chaos::Chaos;
use crate::client::{Client, Person, View};
use crate::cluster::{ADMIN, Cluster};
use crate::flaw::Flaw;
use crate::model::Tables;
use crate::moderator::Moderator;
use crate::oracle::Violation;
use crate::trace::ClientId;
use crate::world::World;

/// How long after the last fault everyone must have everything.
const SETTLES_WITHIN: Duration = Duration::from_secs(90);
/// Events that a failed run shows.
const SHOWN: usize = 60;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    world: Arc<World>,
    /// How many messages were stored.
    pub messages: usize,
    /// What went wrong, with what came before it.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// Tells whether two runs were the same.
    pub fn hash(&self) -> u64 {
        self.world.trace.hash()
    }

    /// How many things happened.
    pub fn events(&self) -> usize {
        self.world.trace.len()
    }
}

#[derive(Debug)]
pub struct Failure {
    pub violation: Violation,
    pub before: String,
}

/// Runs `seed`, in virtual time and on this thread alone.
pub fn run(seed: u64, flaw: Option<Flaw>) -> Outcome {
    fastrand::seed(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(story(seed, flaw))
}

type Views = Vec<(ClientId, Arc<Mutex<View>>)>;

async fn story(seed: u64, flaw: Option<Flaw>) -> Outcome {
    let world = World::new(seed, flaw);
    let cluster = Cluster::new(&world);
    let chaos = Chaos::new(&cluster);
    for _ in 0..=world.dice.up_to(3) {
        chaos.start_node();
    }
    let views = spawn_clients(&world, &cluster);
    spawn_moderator(&world, &cluster);
    chaos.run(duration(&world)).await;
    chaos.heal();
    settle(&world, &views).await;
    conclude(&world, &views)
}

/// Most of what can happen happens soon; some of it only once a lease has ended or a view has become old.
fn duration(world: &World) -> Duration {
    let longest = if world.dice.happens(0.2) { 70_000 } else { 20_000 };
    world.dice.ms(3_000..longest)
}

fn users() -> Vec<User> {
    let names = [ADMIN, "bob", "eve", "kim"];
    names.iter().map(|name| User { id: name.parse().unwrap(), name: name.to_uppercase() }).collect()
}

/// Lets somebody change who is in which group, or nobody.
fn spawn_moderator(world: &Arc<World>, cluster: &Arc<Cluster>) {
    let others = users()[1..].iter().map(|user| user.id.clone()).collect();
    let moderator = Moderator::new(cluster, users()[0].clone(), others);
    if world.dice.happens(0.7) {
        tokio::spawn(moderator.moderate());
    }
}

fn spawn_clients(world: &Arc<World>, cluster: &Arc<Cluster>) -> Views {
    let users = users();
    let mut views = Vec::new();
    for number in 0..2 + world.dice.up_to(4) as usize {
        let user = users[number % users.len()].clone();
        let others = users.iter().filter(|other| **other != user).cloned().collect();
        let id = ClientId(number as u32);
        let (client, view) = Client::new(Person { id, user, others }, cluster);
        tokio::spawn(client.live());
        views.push((id, view));
    }
    views
}

/// Waits until everyone has everything.
async fn settle(world: &Arc<World>, views: &Views) {
    let deadline = Instant::now() + SETTLES_WITHIN;
    loop {
        sleep(Duration::from_millis(500)).await;
        if world.oracle.violation().is_some() {
            return;
        }
        let Err((client, what)) = is_settled(&world.store.tables(), views) else { return };
        if Instant::now() > deadline {
            let channel = what.1;
            let what = format!("{client}: {} after {} s of calm", what.0, SETTLES_WITHIN.as_secs());
            world.oracle.wrong(what, channel, Some(client));
            return;
        }
    }
}

type NotYet = (ClientId, (String, Option<chat_node::ids::ChannelId>));

fn is_settled(tables: &Tables, views: &Views) -> Result<(), NotYet> {
    for (client, view) in views {
        let view = view.lock().unwrap_or_else(PoisonError::into_inner);
        if !view.is_ready {
            return Err((*client, ("it is not signed in".to_owned(), None)));
        }
        if let Some(draft) = view.pending.first() {
            return Err((*client, (format!("{} is not acked", draft.nonce), Some(draft.channel))));
        }
        for (channel, seen) in &view.seen {
            let (end, head) =
                (tables.last(*channel), tables.channel(*channel).map_or(Position(0), |row| row.head));
            if seen.last < end.0 {
                return Err((*client, (format!("it is at {} of {end}", seen.last), Some(*channel))));
            }
            if end < head {
                return Err((*client, (format!("positions {end} to {head} are open"), Some(*channel))));
            }
        }
    }
    Ok(())
}

fn conclude(world: &Arc<World>, views: &Views) -> Outcome {
    let tables = world.store.tables();
    world.oracle.check_logs(&tables);
    world.oracle.check_roles(&tables);
    for (client, view) in views {
        let view = view.lock().unwrap_or_else(PoisonError::into_inner);
        for (channel, seen) in view.seen.iter().chain(view.lost.iter().map(|(channel, seen)| (channel, seen)))
        {
            if let Err(what) = seen.compare(*channel, &tables) {
                world.oracle.wrong(format!("{client}: {what}"), Some(*channel), Some(*client));
            }
        }
    }
    let failure = world.oracle.violation().map(|violation| {
        let before = world.trace.tail(violation.channel, violation.client, SHOWN);
        Failure { violation, before }
    });
    let messages = tables.channels().map(|channel| tables.entries(channel.id).count()).sum();
    drop(tables);
    Outcome { world: Arc::clone(world), messages, failure }
}

//! A client from its first connection to its end: what ends otherwise is made anew.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::agenda::Task;
use super::client::End;
use super::connection;
use super::tally::Counts;
use super::world::World;
use crate::load::cast::UserNumber;
use crate::load::oracle::Kind;

/// A connection on which nobody is signed in by then is given up.
const SIGNED_IN_WITHIN: Duration = Duration::from_secs(30);

/// Lives until the run ends. `due` is when the first connection should have been made; `turn` is given back when the user
/// is signed in.
pub async fn live(world: Rc<World>, user: UserNumber, (due, turn): (Instant, OwnedSemaphorePermit)) {
    let mut tries = 0;
    world.client(user).state.borrow_mut().begin(due, turn);
    loop {
        let end = connected(&world, user, tries).await;
        disconnect(&world, user);
        let wait = match end {
            End::Quit => return,
            End::Lost(why) => {
                world.client(user).state.borrow_mut().is_lost = true;
                let mut oracle = world.oracle.borrow_mut();
                let who = oracle.run().user(user.0);
                return oracle.verdict.add(Kind::ClientLost, || format!("{who} cannot go on: {why}"));
            }
            // The node is going away: another one will do.
            End::Moved => {
                tries += 1;
                Duration::ZERO
            }
            End::Cut | End::Broken(_) => {
                note(&world, &end);
                tries += 1;
                let mut state = world.client(user).state.borrow_mut();
                state.backoff.next(&mut world.rng.borrow_mut())
            }
        };
        world.client(user).state.borrow_mut().due.get_or_insert_with(Instant::now);
        tokio::time::sleep(wait).await;
        if world.client(user).ordered() == Some(End::Quit) {
            return;
        }
    }
}

async fn connected(world: &World, user: UserNumber, tries: u32) -> End {
    let read = match connection::open(world, user, tries).await {
        Ok(read) => read,
        Err(error) => return End::Broken(format!("{error:#}")),
    };
    let generation = world.client(user).state.borrow().generation;
    world.agenda.borrow_mut().add(Instant::now() + SIGNED_IN_WITHIN, Task::SignedIn(user, generation));
    connection::listen(world, user, read).await
}

fn disconnect(world: &World, user: UserNumber) {
    let mut state = world.client(user).state.borrow_mut();
    (state.tail, state.turn) = (Vec::new(), None);
    if state.link.take().is_some_and(|link| link.signed_in) {
        world.tally.borrow_mut().signed_in -= 1;
    }
}

fn note(world: &World, end: &End) {
    let counts = &mut world.tally.borrow_mut().counts;
    match end {
        End::Broken(why) => Counts::add(&mut counts.broken, why),
        _ => counts.cut_by_run += 1,
    }
}

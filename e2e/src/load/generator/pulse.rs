//! Does what is due, when it is due.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::agenda::Task;
use super::alarm::Alarm;
use super::client::End;
use super::say;
use super::world::World;
use crate::load::cast::UserNumber;
use crate::load::schedule::{Action, Due};
use crate::load::wire::HEARTBEAT;

/// How often the agenda is looked at: nothing in it is measured.
const AGENDA_EVERY: Duration = Duration::from_millis(10);

/// Does what the schedule says, each at its time or as soon after as it can be done.
pub async fn follow(world: &World, schedule: impl Iterator<Item = Due>) -> Result<()> {
    let alarm = Alarm::new()?;
    for Due { at, action } in schedule {
        alarm.until(world.begin.get() + at).await?;
        let mut tally = world.tally.borrow_mut();
        if tally.measures(at) && matches!(action, Action::Say(..)) {
            tally.clocks.lateness.note(world.passed(Instant::now()).saturating_sub(at));
        }
        drop(tally);
        act(world, at, action);
    }
    Ok(())
}

fn act(world: &World, at: Duration, action: Action) {
    match action {
        Action::Say(room, author) => {
            let number = world.oracle.borrow_mut().ledger.note(at, (room, author));
            world.tally.borrow_mut().counts.sends += 1;
            let mut state = world.client(author).state.borrow_mut();
            if state.submit(number) {
                say::message(world, &mut state, number);
            }
        }
        Action::Type(room, user) => {
            let mut state = world.client(user).state.borrow_mut();
            if say::typing(world, &mut state, room) {
                world.tally.borrow_mut().counts.typing_sent += 1;
            }
        }
        Action::Lose(user) => {
            let connected = world.client(user).state.borrow().link.is_some();
            if connected {
                world.client(user).end(End::Cut);
            }
        }
    }
}

/// Does what clients have planned, for as long as it is polled.
pub async fn keep(world: Rc<World>) {
    let mut ticks = tokio::time::interval(AGENDA_EVERY);
    loop {
        let now = ticks.tick().await.into_std();
        loop {
            let task = world.agenda.borrow_mut().take(now);
            match task {
                Some(task) => perform(&world, task, now),
                None => break,
            }
        }
    }
}

fn perform(world: &World, task: Task, now: Instant) {
    match task {
        Task::Resend(user, number) => {
            let mut state = world.client(user).state.borrow_mut();
            if state.flying.contains(&number) {
                say::message(world, &mut state, number);
            }
        }
        Task::Read(user) => {
            world.client(user).paused.set(false);
            world.client(user).wake();
        }
        Task::Beat(user, generation) => beat(world, user, (generation, now)),
        Task::SignedIn(user, generation) => {
            let state = world.client(user).state.borrow();
            let waits =
                state.generation == generation && state.link.as_ref().is_some_and(|link| !link.signed_in);
            drop(state);
            if waits {
                world.client(user).end(End::Broken("not signed in in time".to_owned()));
            }
        }
        Task::Leave(user, generation) => {
            if world.client(user).state.borrow().generation == generation {
                world.client(user).end(End::Moved);
            }
        }
    }
}

/// Says that the client lives. A connection on which nothing came since the last time leads nowhere any more.
fn beat(world: &World, user: UserNumber, (generation, now): (u32, Instant)) {
    let client = world.client(user);
    let mut state = client.state.borrow_mut();
    let Some(link) = state.link.as_ref().filter(|_| state.generation == generation) else { return };
    let next = now + link.heartbeat.mul_f64(0.8);
    if !std::mem::replace(&mut state.heard, false) && !client.paused.get() {
        drop(state);
        return client.end(End::Broken("the server was silent".to_owned()));
    }
    say::text(world, &mut state, HEARTBEAT);
    world.agenda.borrow_mut().add(next, Task::Beat(user, generation));
}

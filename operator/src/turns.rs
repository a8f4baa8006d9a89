//! Whose turn it is: so many visits run at once, and the others wait. A cluster that its user has changed goes before
//! those that are only looked at again, and the latest change goes first, so that a new cluster does not wait behind a
//! thousand others. Every fourth turn goes to whoever has waited longest, so that nobody waits for ever.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// One turn in so many goes to whoever has waited longest.
const OLDEST_EVERY: u64 = 4;

/// Why a cluster is to be visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Its user has changed it, and it has not been visited since.
    Changed,
    /// It is looked at again.
    Routine,
}

/// The places for visits, and those who wait for one.
#[derive(Debug)]
pub struct Turns {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    changed: VecDeque<Waiting>,
    routine: VecDeque<Waiting>,
    /// Turns given to those who waited.
    given: u64,
    /// Those who have come.
    come: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    tell: oneshot::Sender<Turn>,
}

/// A place, until this is dropped.
#[derive(Debug)]
pub struct Turn(Arc<Turns>);

impl Turns {
    /// So many visits at once.
    pub fn new(places: usize) -> Arc<Self> {
        let [changed, routine] = [VecDeque::new(), VecDeque::new()];
        Arc::new(Self { state: Mutex::new(State { free: places, changed, routine, given: 0, come: 0 }) })
    }

    /// Waits for a place. Whoever stops waiting loses nothing but the turn.
    pub async fn turn(self: &Arc<Self>, urgency: Urgency) -> Turn {
        match self.join(urgency) {
            Ok(turn) => turn,
            // The sender is only dropped for a place.
            Err(told) => told.await.unwrap_or_else(|_| Turn(Arc::clone(self))),
        }
    }

    fn join(self: &Arc<Self>, urgency: Urgency) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            return Ok(Turn(Arc::clone(self)));
        }
        let (tell, told) = oneshot::channel();
        let waiting = Waiting { number: state.come, tell };
        state.come += 1;
        match urgency {
            Urgency::Changed => state.changed.push_back(waiting),
            Urgency::Routine => state.routine.push_back(waiting),
        }
        Err(told)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before the lock is let go.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who is next, or a free place more.
    fn next(&mut self) -> Option<Waiting> {
        loop {
            let Some(next) = self.pick() else {
                self.free += 1;
                return None;
            };
            if !next.tell.is_closed() {
                self.given += 1;
                return Some(next);
            }
        }
    }

    fn pick(&mut self) -> Option<Waiting> {
        let number = |queue: &VecDeque<Waiting>| queue.front().map_or(u64::MAX, |waiting| waiting.number);
        if self.given % OLDEST_EVERY == OLDEST_EVERY - 1 {
            let is_changed = number(&self.changed) < number(&self.routine);
            return if is_changed { self.changed.pop_front() } else { self.routine.pop_front() };
        }
        self.changed.pop_back().or_else(|| self.routine.pop_front())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = self.0.lock().next();
        if let Some(next) = next {
            // Whoever stopped waiting just now gives it back, and so to the next.
            drop(next.tell.send(Self(Arc::clone(&self.0))));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    fn waiting(turns: &Arc<Turns>, urgency: Urgency) -> BoxFuture<'static, Turn> {
        let turns = Arc::clone(turns);
        let mut waiting = async move { turns.turn(urgency).await }.boxed();
        assert!((&mut waiting).now_or_never().is_none());
        waiting
    }

    /// The order in which those who wait have their turns, one at a time.
    fn order(turn: Turn, mut waiting: Vec<(usize, BoxFuture<'static, Turn>)>) -> Vec<usize> {
        let (mut turn, mut order) = (Some(turn), Vec::new());
        while !waiting.is_empty() {
            drop(turn.take());
            let place = waiting.iter_mut().position(|(_, waiting)| {
                turn = waiting.now_or_never();
                turn.is_some()
            });
            order.push(waiting.remove(place.unwrap()).0);
        }
        order
    }

    #[tokio::test]
    async fn the_latest_change_goes_first_and_every_fourth_turn_to_the_longest_waiting() {
        let turns = Turns::new(1);
        let turn = turns.turn(Urgency::Routine).await;
        let urgency = |number| if number % 2 == 0 { Urgency::Routine } else { Urgency::Changed };
        let all = (0..10).map(|number| (number, waiting(&turns, urgency(number)))).collect();
        assert_eq!(order(turn, all), [9, 7, 5, 0, 3, 1, 2, 4, 6, 8]);
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_no_place() {
        let turns = Turns::new(1);
        let turn = turns.turn(Urgency::Changed).await;
        let (gone, told, stays) = (
            waiting(&turns, Urgency::Changed),
            waiting(&turns, Urgency::Changed),
            waiting(&turns, Urgency::Changed),
        );
        drop(gone);
        drop(turn);
        let last = stays.now_or_never().expect("its turn");
        drop(last);
        drop(told);
        assert!(turns.turn(Urgency::Routine).now_or_never().is_some(), "the place is free again");
    }

    #[tokio::test]
    async fn so_many_have_their_turns_at_once() {
        let turns = Turns::new(2);
        let both = (turns.turn(Urgency::Routine).await, turns.turn(Urgency::Routine).await);
        let third = waiting(&turns, Urgency::Routine);
        drop(both.0);
        assert!(third.now_or_never().is_some());
    }
}

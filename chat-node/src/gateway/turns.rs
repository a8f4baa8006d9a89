//! Whose turn it is to be signed in: who came first, so many at a time as the store bears.
//!
//! When thousands of clients come at once, more at a time would only slow each other down until the store's answers come
//! too late for all, those to messages too; and their clients, who then come again, would keep it so. How many are right
//! depends on the store: one more when all the places were taken and as many turns were prompt, half as many when one took
//! long (additive increase, multiplicative decrease, as RFC 5681 §3.1 has it for packets).

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// Sign-ins at a time, before anything is known of the store.
const FIRST: usize = 16;
/// The least and the most.
const BOUNDS: RangeInclusive<usize> = 2..=64;
/// A turn that takes no longer is prompt.
const PROMPT: Duration = Duration::from_millis(250);
/// One that takes longer shows that there are too many.
const LONG: Duration = Duration::from_secs(1);
/// How long a client waits for its turn. Most give up themselves after half a minute.
const TURN_WITHIN: Duration = Duration::from_secs(20);

/// Whose turn it is.
#[derive(Debug)]
pub struct Turns {
    places: Semaphore,
    pace: Mutex<Pace>,
}

/// Somebody's turn; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    place: Option<SemaphorePermit<'a>>,
    began: Instant,
    /// Whether all places were taken.
    waited: bool,
    outcome: Outcome,
}

/// How many at a time.
#[derive(Debug)]
struct Pace {
    limit: usize,
    /// Prompt turns that somebody had waited for, since it was changed.
    prompt: usize,
    /// When it was last halved.
    halved: Option<Instant>,
    /// Places that are to be given up as soon as their turns end.
    owed: usize,
}

/// How a turn went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The client went away.
    Left,
    SignedIn,
    /// The store did not answer in time.
    Failed,
    /// It says nothing of how busy the store is.
    Untold,
}

impl Default for Turns {
    fn default() -> Self {
        let pace = Pace { limit: FIRST, prompt: 0, halved: None, owed: 0 };
        Self { places: Semaphore::new(FIRST), pace: Mutex::new(pace) }
    }
}

impl Turns {
    /// Waits for a turn; `None` if it has not come in time. Whoever waits is counted in `waiting`.
    pub(super) async fn take(&self, waiting: &IntGauge) -> Option<Turn<'_>> {
        let waited = self.places.available_permits() == 0;
        let _waits = Waits::counted(waiting);
        let place = timeout(TURN_WITHIN, self.places.acquire()).await.ok()?.ok()?;
        let (place, began, outcome) = (Some(place), Instant::now(), Outcome::Left);
        Some(Turn { turns: self, place, began, waited, outcome })
    }

    /// Makes as many places as there may be now.
    fn adapt(&self, pace: &mut Pace, before: usize) {
        pace.owed += before.saturating_sub(pace.limit);
        let more = pace.limit.saturating_sub(before);
        let kept = more.min(pace.owed);
        pace.owed -= kept;
        self.places.add_permits(more - kept);
        pace.owed -= self.places.forget_permits(pace.owed);
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Ends the turn.
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pace = self.turns.pace();
        let before = pace.limit;
        pace.learn((self.began, Instant::now()), self.waited, self.outcome);
        self.turns.adapt(&mut pace, before);
        if let Some(place) = self.place.take_if(|_| pace.owed > 0) {
            pace.owed -= 1;
            place.forget();
        }
    }
}

impl Pace {
    fn learn(&mut self, (began, ended): (Instant, Instant), waited: bool, outcome: Outcome) {
        let took = ended.saturating_duration_since(began);
        let is_slow = match outcome {
            Outcome::Untold => return,
            Outcome::Failed => true,
            Outcome::Left | Outcome::SignedIn => took > LONG,
        };
        if is_slow {
            // What began before that only tells what is known already.
            if self.halved.is_none_or(|halved| began >= halved) {
                (self.limit, self.prompt) = ((self.limit / 2).max(*BOUNDS.start()), 0);
                self.halved = Some(ended);
            }
        } else if outcome == Outcome::SignedIn && waited && took <= PROMPT {
            self.prompt += 1;
            if self.prompt >= self.limit {
                (self.limit, self.prompt) = ((self.limit + 1).min(*BOUNDS.end()), 0);
            }
        }
    }
}

/// Counts somebody who waits, however that ends.
struct Waits<'a>(&'a IntGauge);

impl<'a> Waits<'a> {
    fn counted(waiting: &'a IntGauge) -> Self {
        waiting.inc();
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn waiting() -> IntGauge {
        IntGauge::new("waiting", "of a test").unwrap()
    }

    /// Takes every place that is free.
    fn take_all<'a>(turns: &'a Turns, waiting: &IntGauge) -> Vec<Turn<'a>> {
        std::iter::from_fn(|| turns.take(waiting).now_or_never().flatten()).collect()
    }

    #[tokio::test]
    async fn who_comes_beyond_the_turns_waits_and_who_came_first_is_first() {
        let (turns, waiting) = (Turns::default(), waiting());
        let mut taken = take_all(&turns, &waiting);
        assert_eq!((taken.len(), waiting.get()), (FIRST, 0));
        let (mut first, mut second) = (Box::pin(turns.take(&waiting)), Box::pin(turns.take(&waiting)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert_eq!(waiting.get(), 2);
        taken.pop();
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.as_mut().now_or_never().flatten().is_some());
        // The turn ended with what it returned.
        assert!(second.as_mut().now_or_never().flatten().is_some());
        assert_eq!(waiting.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_and_who_gives_up_is_not_counted() {
        let (turns, waiting) = (Turns::default(), waiting());
        let _all = take_all(&turns, &waiting);
        let (mut waits, mut leaves) = (Box::pin(turns.take(&waiting)), Box::pin(turns.take(&waiting)));
        assert!(waits.as_mut().now_or_never().is_none() && leaves.as_mut().now_or_never().is_none());
        drop(leaves);
        assert_eq!(waiting.get(), 1);
        advance(TURN_WITHIN).await;
        assert!(waits.await.is_none());
        assert_eq!(waiting.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_gets_half_as_many_at_a_time_once_for_all_that_were_under_way() {
        let (turns, waiting) = (Turns::default(), waiting());
        let taken = take_all(&turns, &waiting);
        advance(LONG * 2).await;
        taken.into_iter().for_each(|turn| turn.end(Outcome::SignedIn));
        let taken = take_all(&turns, &waiting);
        assert_eq!(taken.len(), FIRST / 2);
        // Nor do more come than that while some of the earlier ones are still there.
        taken.into_iter().next().unwrap().end(Outcome::Failed);
        assert_eq!(take_all(&turns, &waiting).len(), FIRST / 4);
        for _ in 0..20 {
            advance(Duration::from_millis(1)).await;
            turns.take(&waiting).await.unwrap().end(Outcome::Failed);
        }
        assert_eq!(take_all(&turns, &waiting).len(), *BOUNDS.start());
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_after_long_tells_as_much_and_who_leaves_soon_tells_nothing() {
        let (turns, waiting) = (Turns::default(), waiting());
        drop(take_all(&turns, &waiting));
        turns.take(&waiting).await.unwrap().end(Outcome::Untold);
        assert_eq!(turns.pace().limit, FIRST);
        let taken = take_all(&turns, &waiting);
        advance(LONG * 2).await;
        drop(taken);
        assert_eq!(take_all(&turns, &waiting).len(), FIRST / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_too_many_is_given_up_when_its_turn_ends() {
        let (turns, waiting) = (Turns::default(), waiting());
        let mut taken = take_all(&turns, &waiting);
        taken.pop().unwrap().end(Outcome::Failed);
        // One place of eight is free only when the others are down to seven.
        while taken.len() > FIRST / 2 {
            assert!(turns.take(&waiting).now_or_never().is_none(), "{} are there", taken.len());
            taken.pop();
        }
        taken.pop();
        assert_eq!(take_all(&turns, &waiting).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_prompt_store_gets_more_at_a_time_but_only_if_somebody_waits() {
        let (turns, waiting) = (Turns::default(), waiting());
        for _ in 0..1_000 {
            turns.take(&waiting).await.unwrap().end(Outcome::SignedIn);
        }
        assert_eq!(turns.pace().limit, FIRST);
        let mut taken = Vec::new();
        for _ in 0..2_000 {
            // Else the runtime holds back who has asked for much.
            tokio::task::yield_now().await;
            taken.extend(take_all(&turns, &waiting));
            let mut next = Box::pin(turns.take(&waiting));
            assert!(next.as_mut().now_or_never().is_none());
            taken.remove(0).end(Outcome::SignedIn);
            taken.push(next.await.unwrap());
        }
        drop(taken);
        let most = take_all(&turns, &waiting).len();
        assert!((FIRST * 2..=*BOUNDS.end()).contains(&most), "{most}");
    }
}

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;

use super::*;

const CONNECTIONS: u32 = 2;

/// What calls have done.
#[derive(Debug, Default)]
struct Seen {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Seen {
    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }
}

/// A call that takes so long and then succeeds.
async fn long(calls: &Calls, seen: &Arc<Seen>, takes: Duration) -> Result<(), Failure> {
    let operation = async |(seen, takes): (Arc<Seen>, Duration)| {
        seen.begun.fetch_add(1, Ordering::SeqCst);
        sleep(takes).await;
        seen.ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    calls.run((Arc::clone(seen), takes), operation).await
}

/// A call that takes so long and then loses its connection.
async fn lost(calls: &Calls, seen: &Arc<Seen>, takes: Duration) -> Result<(), Failure> {
    let operation = async |(seen, takes): (Arc<Seen>, Duration)| {
        seen.begun.fetch_add(1, Ordering::SeqCst);
        sleep(takes).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset).into())
    };
    calls.run((Arc::clone(seen), takes), operation).await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_finished_all_the_same() {
    let (calls, seen) = (Calls::new(CONNECTIONS), Arc::new(Seen::default()));
    let started = Instant::now();
    let failure = long(&calls, &seen, DEADLINE * 2).await.unwrap_err();
    assert!(matches!(failure, Failure::Late) && started.elapsed() == DEADLINE, "{failure:?}");
    let dropped = timeout(BACKOFF, long(&calls, &seen, DEADLINE)).await;
    assert!(dropped.is_err() && seen.ended() == 0);
    sleep(DEADLINE * 2).await;
    assert_eq!(seen.ended(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_connections_reach_the_driver_at_a_time() {
    let (calls, seen) = (Calls::new(CONNECTIONS), Arc::new(Seen::default()));
    let takes = Duration::from_secs(1);
    let all = futures::future::join_all((0..5).map(|_| long(&calls, &seen, takes)));
    let watch = async {
        for round in 1..=3 {
            sleep(takes / 2).await;
            assert!(seen.begun() - seen.ended() <= 2 && seen.begun() == 5.min(round * 2), "{seen:?}");
            sleep(takes / 2).await;
        }
    };
    let (done, ()) = tokio::join!(all, watch);
    assert!(done.iter().all(Result::is_ok), "{done:?}");
}

/// Not even while all turns are taken by calls that have been given up.
#[tokio::test(start_paused = true)]
async fn a_call_that_gets_no_turn_in_time_never_begins() {
    let (calls, seen) = (Calls::new(CONNECTIONS), Arc::new(Seen::default()));
    let hung = futures::future::join_all((0..2).map(|_| long(&calls, &seen, DEADLINE * 2))).await;
    assert!(hung.iter().all(|done| matches!(done, Err(Failure::Late))), "{hung:?}");
    let started = Instant::now();
    let late = long(&calls, &seen, BACKOFF).await;
    assert!(matches!(late, Err(Failure::Late)) && started.elapsed() == TURN_WITHIN, "{late:?}");
    sleep(DEADLINE * 2).await;
    assert_eq!((seen.begun(), seen.ended()), (2, 2));
    assert!(long(&calls, &seen, BACKOFF).await.is_ok(), "the turns are free again");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_is_not_repeated() {
    let (calls, seen) = (Calls::new(CONNECTIONS), Arc::new(Seen::default()));
    lost(&calls, &seen, BACKOFF).await.unwrap_err();
    assert_eq!(seen.begun(), 2, "while somebody waits it is");
    lost(&calls, &seen, DEADLINE + BACKOFF).await.unwrap_err();
    assert!(timeout(BACKOFF, lost(&calls, &seen, BACKOFF * 2)).await.is_err());
    sleep(DEADLINE * 2).await;
    assert_eq!(seen.begun(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_gives_its_turn_back() {
    let (calls, seen) = (Calls::new(1), Arc::new(Seen::default()));
    let never = |()| std::future::pending::<Result<(), Error>>();
    calls.run((), never).await.unwrap_err();
    assert!(calls.turn().now_or_never().flatten().is_none());
    sleep(ABANDONED).await;
    assert!(long(&calls, &seen, BACKOFF).await.is_ok());
}

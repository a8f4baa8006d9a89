//! Calls of the driver: no more at a time than it has connections, each with a deadline and repetitions.
//!
//! Whenever something happens to the driver's pool, it serves one of the requests that wait for a connection, be it
//! one whose caller is gone. Calls that are given up there leave such requests behind; each later call removes one and
//! waits behind the rest for longer than its own deadline: from then on none succeeds, while every connection is
//! idle. So calls wait for their turn here, and what the driver has been given goes on to its end.

use std::sync::Arc;
use std::time::Duration;

use mongodb::error::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::failure::{Failure, repetitions};
use crate::store::StoreError;

/// How long a call takes at most for its caller.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// How long a call waits for its turn. It then has the rest of the deadline: an overloaded store whose answers all come
/// just too late would work in vain.
const TURN_WITHIN: Duration = Duration::from_secs(3);
/// How long a call may last for which nobody waits any more. The driver ends all calls of a server that does not
/// answer its monitor: after the interval of its questions, 10 s, and the time to connect. It does not see that
/// a single connection is lost without a word, behind a load balancer for example; this ends what waits on one. So
/// few end so that the pool gets through what they leave behind.
const ABANDONED: Duration = Duration::from_secs(30);
/// Before a repetition, and as much more before each later one.
const BACKOFF: Duration = Duration::from_millis(100);

/// The calls of one client of the driver.
#[derive(Debug)]
pub(super) struct Calls {
    turns: Arc<Semaphore>,
}

impl Calls {
    /// Calls of a client that has so many connections for each server.
    pub fn new(connections: u32) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        Self { turns: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))) }
    }

    /// Runs `operation` with a clone of `input`, once more after a network error and a few times more after a deadlock,
    /// all within the deadline. After that, or when this future is dropped, a try that has begun goes on, but none
    /// follows. Every operation of this store may be run twice: what it writes has a unique key, or is guarded, or
    /// leaves at worst positions for readers to seal.
    pub async fn run<I, T, F>(
        &self,
        input: I,
        operation: impl Fn(I) -> F + Send + 'static,
    ) -> Result<T, Failure>
    where
        I: Clone + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        T: Send + 'static,
    {
        let deadline = Instant::now() + DEADLINE;
        let Some(turn) = self.turn().await else { return Err(Failure::Late) };
        let (caller, answer) = oneshot::channel();
        let once = move || operation(input.clone());
        tokio::spawn(async move {
            if let Ok(done) = timeout(ABANDONED, repeated(&caller, once)).await {
                // Fails if nobody waits any more.
                let _ = caller.send(done);
            }
            drop(turn);
        });
        match timeout_at(deadline, answer).await {
            Ok(Ok(done)) => done.map_err(Failure::Driver),
            Ok(Err(_)) | Err(_) => Err(Failure::Late),
        }
    }

    /// As [`Self::run`], for what makes a row where there is none. When two nodes make it at once, the loser's change
    /// is an update the second time.
    pub async fn upsert<I, T, F>(
        &self,
        input: I,
        operation: impl Fn(I) -> F + Clone + Send + 'static,
    ) -> Result<T, Failure>
    where
        I: Clone + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
        T: Send + 'static,
    {
        match self.run(input.clone(), operation.clone()).await {
            Err(failure) if failure.is_duplicate() => self.run(input, operation).await,
            done => done,
        }
    }

    /// None: all have been taken for too long. The semaphore is never closed.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        timeout(TURN_WITHIN, Arc::clone(&self.turns).acquire_owned()).await.ok()?.ok()
    }
}

/// The operation's result, after repetitions while there is somebody who waits for it.
async fn repeated<T, F>(
    caller: &oneshot::Sender<Result<T, Error>>,
    operation: impl Fn() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut repetition = 0;
    loop {
        let error = match operation().await {
            Err(error) if repetition < repetitions(&error) => error,
            done => return done,
        };
        repetition += 1;
        sleep(BACKOFF.mul_f64(f64::from(repetition) * (0.5 + fastrand::f64()))).await;
        if caller.is_closed() {
            return Err(error);
        }
    }
}

/// Ends an operation of several calls.
pub(super) async fn within<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = || StoreError::Unavailable(format!("it took longer than {} s", DEADLINE.as_secs() * 2));
    timeout(DEADLINE * 2, operation).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests;

//! One writer at a time, and one commit for all who came while the one before was on its way to the disk.
//!
//! What has to be on disk is written on a thread that may block, as long as there is something to write. What has not only
//! changes memory, which takes microseconds, but for the seldom case that the file has to grow first: it is written right here,
//! as to wake a thread for it would cost more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use redb::{Database, WriteTransaction};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

pub(super) use redb::Durability;

use crate::store::StoreError;

pub(super) struct Writer {
    database: Arc<Database>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Box<dyn Job>>,
    /// Whether somebody will take them.
    is_served: bool,
}

/// A write that can be run again after its transaction was given up.
trait Job: Send {
    /// Whether it need not be on disk before the answer.
    fn is_lazy(&self) -> bool;
    fn run(&mut self, tx: &WriteTransaction) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, committed: Committed);
}

type Committed = Result<(), StoreError>;

struct Task<T, W> {
    durability: Durability,
    work: W,
    value: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    /// Bounds how many wait, whether or not their callers still do.
    _turn: OwnedSemaphorePermit,
}

impl Writer {
    pub fn new(database: Database) -> Self {
        Self { database: Arc::new(database), waiting: Arc::default() }
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Runs `work` in a transaction, perhaps twice, and commits it if it succeeds; also if the caller waits no longer.
    pub async fn write<T: Send + 'static>(
        &self,
        (turn, durability): (OwnedSemaphorePermit, Durability),
        work: impl Fn(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.add(Box::new(Task { durability, work, value: None, answer, _turn: turn }));
        answered.await.unwrap_or_else(|_| Err(broken_off()))
    }

    fn add(&self, job: Box<dyn Job>) {
        let is_lazy = job.is_lazy();
        if self.is_first(job) {
            let (database, waiting) = (Arc::downgrade(&self.database), Arc::clone(&self.waiting));
            let serving = Serving { database, waiting, is_done: false };
            if is_lazy {
                tokio::spawn(serving.serve_here());
            } else {
                tokio::task::spawn_blocking(|| serving.serve());
            }
        }
    }

    /// Whether nobody was about to take it.
    fn is_first(&self, job: Box<dyn Job>) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.jobs.push(job);
        !std::mem::replace(&mut waiting.is_served, true)
    }
}

/// Whoever writes, as long as there is something to write. Between commits it does not keep the database open: whoever has
/// the last answer can close it.
struct Serving {
    database: Weak<Database>,
    waiting: Arc<Mutex<Waiting>>,
    /// Whether nothing waited any more.
    is_done: bool,
}

impl Serving {
    /// Blocks while what is written goes to the disk.
    fn serve(mut self) {
        while let Some(group) = self.next() {
            self.write(group);
        }
    }

    /// Goes on elsewhere if something has to go to the disk.
    async fn serve_here(mut self) {
        loop {
            // All who are about to write something share the commit.
            tokio::task::yield_now().await;
            let Some(group) = self.next() else { return };
            if !group.iter().all(|job| job.is_lazy()) {
                tokio::task::spawn_blocking(|| {
                    self.write(group);
                    self.serve();
                });
                return;
            }
            self.write(group);
        }
    }

    fn next(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let mut waiting = lock(&self.waiting);
        self.is_done = waiting.jobs.is_empty();
        waiting.is_served = !self.is_done;
        waiting.is_served.then(|| std::mem::take(&mut waiting.jobs))
    }

    fn write(&self, mut group: Vec<Box<dyn Job>>) {
        let Some(database) = self.database.upgrade() else { return };
        let committed = commit(&database, &mut group);
        drop(database);
        if committed.is_err() && group.len() > 1 {
            // One of them failed and took the others along: each for itself.
            group.into_iter().for_each(|job| self.write(vec![job]));
        } else {
            group.into_iter().for_each(|job| job.answer(committed.clone()));
        }
    }
}

impl Drop for Serving {
    /// When the runtime ends, nobody would serve those who wait: they hear that it broke off.
    fn drop(&mut self) {
        if !self.is_done {
            *lock(&self.waiting) = Waiting::default();
        }
    }
}

fn commit(database: &Database, group: &mut [Box<dyn Job>]) -> Committed {
    let mut tx = database.begin_write()?;
    if group.iter().all(|job| job.is_lazy()) {
        tx.set_durability(Durability::None)?;
    }
    for job in group {
        // Caught while the transaction is there to be given up, and so that whoever writes goes on for the others.
        catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or_else(|_| Err(broken_off()))?;
    }
    Ok(tx.commit()?)
}

impl<T: Send, W: Fn(&WriteTransaction) -> Result<T, StoreError> + Send> Job for Task<T, W> {
    fn is_lazy(&self) -> bool {
        matches!(self.durability, Durability::None)
    }

    fn run(&mut self, tx: &WriteTransaction) -> Result<(), StoreError> {
        self.value = Some((self.work)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Committed) {
        let answer = match (committed, self.value) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(broken_off()),
            (Err(error), _) => Err(error),
        };
        // Nobody waits any more: the write counts all the same.
        let _ = self.answer.send(answer);
    }
}

fn broken_off() -> StoreError {
    StoreError::Unavailable("the write broke off".to_owned())
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

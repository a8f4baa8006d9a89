//! One writer at a time, and one commit for all who came while the one before was on its way to the disk.
//!
//! What has to be on disk is written on a thread that may block, as long as there is something to write. What has not only
//! changes memory, which takes microseconds: it is written right here, as to wake a thread for it would cost more.

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
    /// Whether there is a thread that will take them.
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
        let mut waiting = lock(&self.waiting);
        let is_lazy = job.is_lazy();
        waiting.jobs.push(job);
        if !std::mem::replace(&mut waiting.is_served, true) {
            let (database, waiting) = (Arc::downgrade(&self.database), Arc::clone(&self.waiting));
            let serving = Serving { database, waiting };
            if is_lazy {
                tokio::spawn(serving.serve_here());
            } else {
                tokio::task::spawn_blocking(|| serving.serve());
            }
        }
    }
}

/// Whoever writes, as long as there is something to write. Between commits it does not keep the database open: whoever has
/// the last answer can close it.
struct Serving {
    database: Weak<Database>,
    waiting: Arc<Mutex<Waiting>>,
}

impl Serving {
    /// Blocks while what is written goes to the disk.
    fn serve(self) {
        while let Some(group) = self.next() {
            self.write(group);
        }
    }

    /// Goes on elsewhere if something has to go to the disk.
    async fn serve_here(self) {
        // All who are about to write something share the commit.
        tokio::task::yield_now().await;
        while let Some(group) = self.next() {
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

    fn next(&self) -> Option<Vec<Box<dyn Job>>> {
        let mut waiting = lock(&self.waiting);
        waiting.is_served = !waiting.jobs.is_empty();
        waiting.is_served.then(|| std::mem::take(&mut waiting.jobs))
    }

    fn write(&self, group: Vec<Box<dyn Job>>) {
        let Some(database) = self.database.upgrade() else { return };
        let committed = commit_group(&database, group);
        drop(database);
        committed.into_iter().for_each(|(job, committed)| job.answer(committed));
    }
}

impl Drop for Serving {
    /// After a panic nobody would serve those who wait: they hear that it broke off.
    fn drop(&mut self) {
        if std::thread::panicking() {
            *lock(&self.waiting) = Waiting::default();
        }
    }
}

fn commit_group(database: &Database, mut group: Vec<Box<dyn Job>>) -> Vec<(Box<dyn Job>, Committed)> {
    let committed = commit(database, &mut group);
    if committed.is_err() && group.len() > 1 {
        // One of them failed and took the others along: each for itself.
        return group.into_iter().flat_map(|job| commit_group(database, vec![job])).collect();
    }
    group.into_iter().map(|job| (job, committed.clone())).collect()
}

fn commit(database: &Database, group: &mut [Box<dyn Job>]) -> Committed {
    let mut tx = database.begin_write()?;
    if group.iter().all(|job| job.is_lazy()) {
        tx.set_durability(Durability::None)?;
    }
    for job in group {
        job.run(&tx)?;
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

//! One writer at a time, and one commit for all who came while the one before was on its way to the disk.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{Database, WriteTransaction};

pub(super) use redb::Durability;

use crate::store::StoreError;

pub(super) struct Writer {
    database: Database,
    waiting: Mutex<Vec<Box<dyn Job>>>,
    turn: Mutex<()>,
}

/// A write that can be run again after its transaction was given up.
trait Job: Send {
    fn durability(&self) -> Durability;
    fn run(&mut self, tx: &WriteTransaction) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, W> {
    durability: Durability,
    work: W,
    value: Option<T>,
    answer: SyncSender<Result<T, StoreError>>,
}

impl Writer {
    pub fn new(database: Database) -> Self {
        Self { database, waiting: Mutex::default(), turn: Mutex::default() }
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Runs `work` in a transaction, perhaps twice, and commits it if it succeeds. Blocks.
    pub fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl Fn(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = sync_channel(1);
        lock(&self.waiting).push(Box::new(Task { durability, work, value: None, answer }));
        let _turn = lock(&self.turn);
        // Whoever had the turn before may have taken this write along.
        if let Ok(answer) = answered.try_recv() {
            return answer;
        }
        let group = std::mem::take(&mut *lock(&self.waiting));
        self.commit_group(group);
        last_answer(&answered)
    }

    fn commit_group(&self, mut group: Vec<Box<dyn Job>>) {
        let committed = self.commit(&mut group);
        if committed.is_err() && group.len() > 1 {
            // One of them failed and took the others along: each for itself.
            group.into_iter().for_each(|job| self.commit_group(vec![job]));
            return;
        }
        group.into_iter().for_each(|job| job.answer(committed.clone()));
    }

    fn commit(&self, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let mut tx = self.database.begin_write()?;
        if group.iter().all(|job| matches!(job.durability(), Durability::None)) {
            tx.set_durability(Durability::None)?;
        }
        for job in group {
            job.run(&tx)?;
        }
        Ok(tx.commit()?)
    }
}

impl<T: Send, W: Fn(&WriteTransaction) -> Result<T, StoreError> + Send> Job for Task<T, W> {
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, tx: &WriteTransaction) -> Result<(), StoreError> {
        self.value = Some((self.work)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.value) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(broken_off()),
            (Err(error), _) => Err(error),
        };
        // Nobody waits any more: the write counts all the same.
        let _ = self.answer.send(answer);
    }
}

fn last_answer<T>(answered: &Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    answered.recv().unwrap_or_else(|_| Err(broken_off()))
}

fn broken_off() -> StoreError {
    StoreError::Unavailable("the write broke off".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

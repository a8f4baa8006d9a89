//! What clients are to do later.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::load::cast::UserNumber;
use crate::load::message::MessageNumber;

/// Something that a client does at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Sends a message again that the server has put off.
    Resend(UserNumber, MessageNumber),
    /// Shows that it lives, on this connection of all that it has had.
    Beat(UserNumber, u32),
    /// Gives up if it is not signed in yet on this connection.
    SignedIn(UserNumber, u32),
    /// Leaves this connection, as the server has asked.
    Leave(UserNumber, u32),
    /// Reads again.
    Read(UserNumber),
}

/// All that is to be done, soonest first.
#[derive(Debug, Default)]
pub struct Agenda {
    tasks: BinaryHeap<Reverse<(Instant, Task)>>,
}

impl Agenda {
    /// Adds something.
    pub fn add(&mut self, at: Instant, task: Task) {
        self.tasks.push(Reverse((at, task)));
    }

    /// Takes out the first that is due.
    pub fn take(&mut self, now: Instant) -> Option<Task> {
        match self.tasks.peek() {
            Some(Reverse((at, _))) if *at <= now => self.tasks.pop().map(|Reverse((_, task))| task),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn tasks_come_when_they_are_due_and_soonest_first() {
        let (mut agenda, now) = (Agenda::default(), Instant::now());
        let task = |number| Task::Read(UserNumber(number));
        for number in [3, 1, 2] {
            agenda.add(now + Duration::from_secs(number.into()), task(number));
        }
        assert_eq!(agenda.take(now), None);
        let later = now + Duration::from_secs(2);
        assert_eq!(
            [agenda.take(later), agenda.take(later), agenda.take(later)],
            [Some(task(1)), Some(task(2)), None]
        );
    }
}

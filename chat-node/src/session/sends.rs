//! The messages of one connection on their way to the store: one at a time, so that they are stored in the order
//! in which they were sent.

use std::collections::VecDeque;

use crate::protocol::frame::Draft;

/// At most one message under way, and a bounded line behind it.
#[derive(Debug)]
pub(super) struct Sends {
    under_way: bool,
    waiting: VecDeque<Draft>,
    limit: usize,
}

impl Sends {
    pub fn new(limit: usize) -> Self {
        Self { under_way: false, waiting: VecDeque::new(), limit }
    }

    /// Puts a message in the line and says which to send now, if any. `Err` gives it back: the line is full.
    pub fn offer(&mut self, draft: Draft) -> Result<Option<Draft>, Box<Draft>> {
        if !self.under_way {
            self.under_way = true;
            return Ok(Some(draft));
        }
        if self.waiting.len() >= self.limit {
            return Err(Box::new(draft));
        }
        self.waiting.push_back(draft);
        Ok(None)
    }

    /// The one under way is done: which to send now, if any.
    pub fn finished(&mut self) -> Option<Draft> {
        let next = self.waiting.pop_front();
        self.under_way = next.is_some();
        next
    }
}

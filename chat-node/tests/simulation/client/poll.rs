//! Asking any node again and again, with the cursors of what has been seen.

use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;

use super::view::View;
use super::way::{Asking, Heard, read};
use crate::exchange::Part;
use crate::wire::Arriving;

/// The longest that an answer may be held back, in seconds.
const WAIT_S: u64 = 25;

pub struct Poll {
    asking: Asking,
    answer: Option<Arriving<Part>>,
    status: StatusCode,
    body: Vec<u8>,
}

impl Poll {
    pub fn new(asking: Asking) -> Self {
        Self { asking, answer: None, status: StatusCode::OK, body: Vec::new() }
    }

    /// Waits for the next answer, asking first if need be. Nothing is lost if the future is dropped.
    pub async fn hear(&mut self, view: &Mutex<View>) -> Heard {
        if self.answer.is_none() {
            let wait = self.asking.dice.up_to(WAIT_S);
            let cursors = view.lock().unwrap_or_else(PoisonError::into_inner).cursors();
            let path = format!("poll?cursors={cursors}&wait={wait}");
            self.answer = self.asking.ask(&path).map(|(_, answer)| answer);
        }
        let Some(answer) = &mut self.answer else { return Heard::End("there is no node".to_owned()) };
        loop {
            match answer.next().await {
                Some(Part::Head(status)) => self.status = status,
                Some(Part::Data(data)) => self.body.extend(data),
                Some(Part::End) => break,
                None => return Heard::End("broken".to_owned()),
            }
        }
        self.answer = None;
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.body)).into_owned();
        if self.status != StatusCode::OK {
            return Heard::End(format!("{}: {text}", self.status));
        }
        read(&text, Heard::Page)
    }
}

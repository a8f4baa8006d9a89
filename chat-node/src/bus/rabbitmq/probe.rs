//! The node listens for its own voice: an exchange that was deleted and made again has lost its bindings, and
//! nothing else tells.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{BrokerError, Outgoing, Shared, link};
use crate::bus::{Envelope, Notice};

/// How often probes are sent.
const EVERY: Duration = Duration::from_secs(2);
/// How many exchanges are probed at once; of more, these many in turn.
const AT_ONCE: usize = 16;
/// How long a probe may take to come back.
const WITHIN: Duration = Duration::from_secs(6);

/// The probes that are under way.
#[derive(Debug, Default)]
pub(super) struct Probes {
    sent: HashMap<String, Instant>,
    turn: usize,
    paused: bool,
}

impl Probes {
    /// The exchanges whose turn it is, noted as sent.
    fn due<'a>(&mut self, nth: impl Fn(usize) -> &'a str, count: usize, now: Instant) -> Vec<&'a str> {
        if self.paused {
            return Vec::new();
        }
        let at_once = AT_ONCE.min(count);
        let due: Vec<_> = (self.turn..self.turn + at_once).map(nth).collect();
        self.turn = (self.turn + at_once) % count;
        for exchange in &due {
            self.sent.entry((*exchange).to_owned()).or_insert(now);
        }
        due
    }

    /// The probe to an exchange has come back.
    pub fn answered(&mut self, exchange: &str) {
        self.sent.remove(exchange);
    }

    /// The broker takes no publishes for now.
    pub fn pause(&mut self) {
        self.paused = true;
        self.sent.clear();
    }

    /// The broker takes publishes again.
    pub fn resume(&mut self, now: Instant) {
        self.paused = false;
        self.sent.values_mut().for_each(|sent| *sent = now);
    }

    /// An exchange whose probe has not come back in time.
    fn lost(&self, now: Instant) -> Option<&str> {
        let overdue = |sent: &Instant| now.saturating_duration_since(*sent) > WITHIN;
        self.sent.iter().find(|(_, sent)| overdue(sent)).map(|(exchange, _)| exchange.as_str())
    }
}

/// Probes until one does not come back.
pub(super) async fn run(
    shared: &Shared,
    outgoing: &mpsc::Sender<Outgoing>,
    (queue, probes): (&str, &Mutex<Probes>),
) -> BrokerError {
    let exchanges = &shared.exchanges;
    loop {
        tokio::time::sleep(EVERY).await;
        if !link::is_publishing(shared) {
            continue;
        }
        let now = Instant::now();
        let due = {
            let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(exchange) = probes.lost(now) {
                return BrokerError::Deaf(exchange.to_owned());
            }
            probes.due(|n| exchanges.nth(n), exchanges.count(), now)
        };
        for exchange in due {
            let notice = Notice::Probe { queue: queue.to_owned(), exchange: exchange.to_owned() };
            let payload = Envelope::new(notice).to_bytes();
            let probe = Outgoing { exchange: exchange.to_owned(), key: queue.to_owned(), payload };
            // A full window is a sign of life too: what is in it waits for its confirms.
            if outgoing.try_send(probe).is_err() {
                probes.lock().unwrap_or_else(PoisonError::into_inner).answered(exchange);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["control", "0", "1"];

    fn due(probes: &mut Probes, now: Instant) -> Vec<&'static str> {
        probes.due(|n| NAMES[n % NAMES.len()], NAMES.len(), now)
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_does_not_come_back_names_its_exchange() {
        let mut probes = Probes::default();
        let now = Instant::now();
        assert_eq!(due(&mut probes, now), NAMES);
        probes.answered("control");
        probes.answered("0");
        assert_eq!(probes.lost(now + WITHIN), None);
        assert_eq!(probes.lost(now + WITHIN + EVERY), Some("1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_probe_does_not_hide_a_lost_one() {
        let mut probes = Probes::default();
        let now = Instant::now();
        due(&mut probes, now);
        due(&mut probes, now + EVERY);
        assert!(probes.lost(now + WITHIN + EVERY).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_while_the_broker_takes_no_publishes() {
        let mut probes = Probes::default();
        let now = Instant::now();
        due(&mut probes, now);
        probes.pause();
        assert_eq!(due(&mut probes, now), Vec::<&str>::new());
        probes.resume(now + WITHIN * 4);
        assert_eq!(probes.lost(now + WITHIN * 4), None);
    }
}

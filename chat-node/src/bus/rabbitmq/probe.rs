//! The node listens for its own voice: an exchange that was deleted and made again has lost its bindings, and
//! nothing else tells.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{BrokerError, Shared, outgoing};
use crate::bus::routing::{Exchange, Key, Route};
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
    /// The exchanges whose turn it is, noted as sent. What is not among `all` any more is forgotten.
    fn due(&mut self, all: &[(Exchange, String)], now: Instant) -> Vec<(Exchange, String)> {
        self.sent.retain(|name, _| all.iter().any(|(_, known)| known == name));
        if self.paused {
            return Vec::new();
        }
        let at_once = AT_ONCE.min(all.len());
        let due: Vec<_> =
            all.iter().cycle().skip(self.turn % all.len().max(1)).take(at_once).cloned().collect();
        self.turn = (self.turn + at_once) % all.len().max(1);
        for (_, name) in &due {
            self.sent.entry(name.clone()).or_insert(now);
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
    outgoing: &outgoing::Sender,
    (queue, probes): (&str, &Mutex<Probes>),
) -> BrokerError {
    loop {
        tokio::time::sleep(EVERY).await;
        if !shared.is_publishing() {
            continue;
        }
        let exchanges: Vec<_> = shared.epochs().exchanges();
        let named: Vec<_> = exchanges
            .into_iter()
            .map(|exchange| (exchange, exchange.name(&shared.settings.cluster)))
            .collect();
        let due = {
            let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let due = probes.due(&named, now);
            if let Some(exchange) = probes.lost(now) {
                return BrokerError::Deaf(exchange.to_owned());
            }
            due
        };
        for (exchange, name) in due {
            let notice = Notice::Probe { queue: queue.to_owned(), exchange: name.clone() };
            let route = Route { exchange, key: Key::Queue(queue.into()) };
            // A full queue is a sign of life too: what is in it waits for its confirms.
            if outgoing.offer(route, Envelope::new(notice).to_bytes(), None).is_err() {
                probes.lock().unwrap_or_else(PoisonError::into_inner).answered(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["control", "0", "1"];

    fn due(probes: &mut Probes, now: Instant) -> Vec<String> {
        let all = NAMES.map(|name| (Exchange::Control, name.to_owned()));
        probes.due(&all, now).into_iter().map(|(_, name)| name).collect()
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
        assert!(due(&mut probes, now).is_empty());
        probes.resume(now + WITHIN * 4);
        assert_eq!(probes.lost(now + WITHIN * 4), None);
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_exchanges_each_has_its_turn() {
        let all: Vec<_> = (0..40).map(|n| (Exchange::Control, n.to_string())).collect();
        let (mut probes, now) = (Probes::default(), Instant::now());
        let mut seen: Vec<_> = (0..3).flat_map(|_| probes.due(&all, now)).map(|(_, name)| name).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all.len());
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_that_is_not_listened_to_any_more_is_not_missed() {
        let mut probes = Probes::default();
        let now = Instant::now();
        due(&mut probes, now);
        probes.due(&[(Exchange::Control, "control".to_owned())], now);
        probes.answered("control");
        assert_eq!(probes.lost(now + WITHIN * 2), None);
    }
}

//! What is in a virtual host, asked once for all clusters that share it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Access, BrokerError, Exchange, Management, Node, Queue};

/// How long a survey is used: a drift is found within this and the poll interval.
pub const SURVEY_AGE: Duration = Duration::from_secs(5);
/// How long a node of the broker may be away before the queues that it keeps count as stranded.
pub const NODE_AWAY: Duration = Duration::from_secs(10);
/// What all names of chat clusters begin with.
const EXCHANGES: &str = "vt.";
const QUEUES: &str = "srv.";
/// An exchange that is declared and deleted again, to see whether that can be done.
const TRIAL: &str = "vt.trial";

/// What one look at a virtual host has shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    exchanges: BTreeMap<String, Exchange>,
    /// The broker's nodes; `None` if the user may not see them.
    pub nodes: Option<Vec<Node>>,
    /// Why the broker takes no declares, if it does not.
    pub refuses: Option<BrokerError>,
    /// Server queues, of whichever cluster, that a node of the broker keeps which does not run.
    pub stranded: Vec<String>,
}

/// A change that the operator has made since the last look.
#[derive(Clone, Debug)]
pub enum Change {
    /// It declared an exchange.
    Declared(Exchange),
    /// It deleted an exchange.
    Deleted(String),
    /// It deleted a queue.
    Reaped(String),
}

/// The last survey of every virtual host.
#[derive(Debug)]
pub struct Surveys {
    age: Duration,
    away: Duration,
    by_access: Mutex<BTreeMap<Access, Arc<Place>>>,
}

#[derive(Debug, Default)]
struct Place {
    /// Held while somebody looks: the others wait for what is seen.
    look: tokio::sync::Mutex<()>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<(Instant, Result<Survey, BrokerError>)>,
    /// What was changed since the last look began.
    changes: Vec<Change>,
    away_since: BTreeMap<String, Instant>,
}

impl Survey {
    /// The exchanges whose names begin with `prefix`.
    pub fn exchanges(&self, prefix: &str) -> Vec<Exchange> {
        let from = self.exchanges.range(prefix.to_owned()..);
        from.take_while(|(name, _)| name.starts_with(prefix)).map(|(_, exchange)| exchange.clone()).collect()
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Declared(exchange) => {
                self.exchanges.insert(exchange.name.clone(), exchange.clone());
            }
            Change::Deleted(name) => drop(self.exchanges.remove(name)),
            Change::Reaped(queue) => self.stranded.retain(|stranded| stranded != queue),
        }
    }
}

impl Surveys {
    /// No survey yet. Each is used for `age`; the queues of a node that has been `away` for so long are stranded.
    pub fn new(age: Duration, away: Duration) -> Self {
        Self { age, away, by_access: Mutex::default() }
    }

    /// The part of the last survey that `part` takes, or of a new one if it is too old.
    ///
    /// # Errors
    /// If the broker cannot be reached or refuses; also that is not asked again at once.
    pub async fn see<T>(
        &self,
        management: &Management,
        part: impl Fn(&Survey) -> T,
    ) -> Result<T, BrokerError> {
        let place = self.place(management);
        let asked = Instant::now();
        let _look = place.look.lock().await;
        let known = place.lock().recent(self.age, asked, &part);
        if let Some(known) = known {
            return known;
        }
        place.lock().changes.clear();
        let looked = self.look(management, &place).await;
        let mut seen = place.lock();
        let result = seen.take_in(looked);
        result.as_ref().map(part).map_err(Clone::clone)
    }

    /// Notes what the operator has changed, so that nobody has to look again for that.
    pub fn note(&self, management: &Management, change: Change) {
        self.place(management).lock().note(change);
    }

    /// Something may have changed in a way that nobody knows: the next one looks again.
    pub fn doubt(&self, management: &Management) {
        self.place(management).lock().last = None;
    }

    async fn look(&self, management: &Management, place: &Place) -> Result<Survey, BrokerError> {
        let (exchanges, nodes) = tokio::join!(management.exchanges(EXCHANGES), management.nodes());
        let exchanges = exchanges?.into_iter().map(|exchange| (exchange.name.clone(), exchange)).collect();
        let nodes = match nodes {
            Ok(nodes) => Some(nodes),
            Err(BrokerError::Refused { .. }) => None,
            Err(error) => return Err(error),
        };
        // One node needs nobody's agreement.
        let is_cluster = nodes.as_ref().is_some_and(|nodes| nodes.len() > 1);
        let refuses = if is_cluster { management.try_declare(TRIAL).await.err() } else { None };
        let gone = place.lock().gone(nodes.as_deref().unwrap_or_default(), Instant::now(), self.away);
        let stranded = if gone.is_empty() { Vec::new() } else { management.queues(QUEUES).await? };
        let is_stranded = |queue: &Queue| queue.node.as_ref().is_some_and(|node| gone.contains(node));
        let stranded = stranded.into_iter().filter(is_stranded).map(|queue| queue.name).collect();
        Ok(Survey { exchanges, nodes, refuses, stranded })
    }

    fn place(&self, management: &Management) -> Arc<Place> {
        let mut places = self.by_access.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever changes credentials often must not fill the memory.
        let age = self.age;
        places.retain(|access, place| access == management.access() || place.lock().is_used(age));
        Arc::clone(places.entry(management.access().clone()).or_default())
    }
}

impl Place {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Every change is complete before the lock is let go.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn is_used(&self, age: Duration) -> bool {
        self.last.as_ref().is_some_and(|(at, _)| at.elapsed() < age * 10)
    }

    /// A survey that is young enough, or was made while this one waited.
    fn recent<T>(
        &self,
        age: Duration,
        asked: Instant,
        part: impl Fn(&Survey) -> T,
    ) -> Option<Result<T, BrokerError>> {
        let (at, result) = self.last.as_ref()?;
        (at.elapsed() < age || *at > asked).then(|| result.as_ref().map(part).map_err(Clone::clone))
    }

    fn take_in(&mut self, looked: Result<Survey, BrokerError>) -> &Result<Survey, BrokerError> {
        let changes = std::mem::take(&mut self.changes);
        let result = looked.map(|mut survey| {
            changes.iter().for_each(|change| survey.apply(change));
            survey
        });
        &self.last.insert((Instant::now(), result)).1
    }

    fn note(&mut self, change: Change) {
        if let Some((_, Ok(survey))) = &mut self.last {
            survey.apply(&change);
        }
        // A look that is under way may have been too early to see it.
        self.changes.push(change);
    }

    /// The nodes that have been away for long.
    fn gone(&mut self, nodes: &[Node], now: Instant, away: Duration) -> Vec<String> {
        self.away_since.retain(|name, _| nodes.iter().any(|node| node.name == *name && !node.running));
        for node in nodes.iter().filter(|node| !node.running) {
            self.away_since.entry(node.name.clone()).or_insert(now);
        }
        let long = self.away_since.iter().filter(|(_, since)| now.duration_since(**since) > away);
        long.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(name: &str) -> Exchange {
        Exchange::durable(name.to_owned(), "direct")
    }

    fn names(survey: &Survey, prefix: &str) -> Vec<String> {
        survey.exchanges(prefix).into_iter().map(|exchange| exchange.name).collect()
    }

    #[test]
    fn what_was_changed_while_somebody_looked_is_not_forgotten() {
        let mut seen = Seen::default();
        let looked = || {
            let exchanges = ["vt.a.x.1.0", "vt.b.x.1.0"].map(|name| (name.to_owned(), exchange(name)));
            Ok(Survey { exchanges: exchanges.into(), ..Survey::default() })
        };
        seen.take_in(looked()).as_ref().unwrap();
        seen.note(Change::Declared(exchange("vt.a.x.1.1")));
        seen.note(Change::Deleted("vt.a.x.1.0".to_owned()));
        let survey = seen.take_in(looked()).as_ref().unwrap();
        assert_eq!(names(survey, "vt.a."), ["vt.a.x.1.1"]);
        assert_eq!(names(survey, "vt."), ["vt.a.x.1.1", "vt.b.x.1.0"]);
    }

    #[test]
    fn a_node_is_gone_after_a_while_and_not_when_it_comes_back() {
        let node =
            |running| Node { name: "c2".to_owned(), running, mem_alarm: false, disk_free_alarm: false };
        let (mut seen, start) = (Seen::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut gone = |running, seconds| seen.gone(&[node(running)], at(seconds), NODE_AWAY);
        assert!(gone(false, 0).is_empty() && gone(false, 10).is_empty());
        assert_eq!(gone(false, 11), ["c2"]);
        assert!(gone(true, 12).is_empty() && gone(false, 13).is_empty());
    }
}

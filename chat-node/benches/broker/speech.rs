//! Messages that are published on a schedule, and what became of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::town::{Kind, Town};

/// No message of this process has the number of another.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// When what is said.
#[derive(Clone, Copy)]
pub struct Script {
    pub kind: Kind,
    pub every: Duration,
    /// It ends by itself after so many messages.
    pub most: usize,
}

/// What was said, or will be.
#[derive(Clone, Copy)]
pub struct Speech {
    script: Script,
    first: u64,
    begin: Instant,
}

/// What became of a message at a node that had to hear it.
#[derive(Clone, Copy)]
pub struct Fate {
    pub node: usize,
    pub due: Instant,
    /// How long after that the node had the first copy; `None`: it has none.
    pub after: Option<Duration>,
}

impl Speech {
    /// Begins to say it, on a thread of its own: the runtime's timers are as coarse as what is measured. The thread
    /// gives how many messages there were when it was stopped.
    pub fn begin(town: &Arc<Town>, script: Script, stop: CancellationToken) -> (Self, JoinHandle<usize>) {
        let first = NEXT.fetch_add(script.most as u64, Ordering::Relaxed);
        let speech = Self { script, first, begin: Instant::now() + script.every };
        let town = Arc::clone(town);
        let said = tokio::task::spawn_blocking(move || {
            (0..script.most).take_while(|nth| speech.say(&town, *nth, &stop)).count()
        });
        (speech, said)
    }

    /// Says the next message when it is due, by one of the nodes that have to hear it; `false`: it is not to be said.
    fn say(&self, town: &Town, nth: usize, stop: &CancellationToken) -> bool {
        std::thread::sleep(self.due(nth).saturating_duration_since(Instant::now()));
        if stop.is_cancelled() {
            return false;
        }
        let (kind, number) = (self.script.kind, self.first + nth as u64);
        let homes = &town.channel(kind, number).homes;
        town.say(homes[nth % homes.len()], (kind, number));
        true
    }

    fn due(&self, nth: usize) -> Instant {
        self.begin + self.script.every * nth as u32
    }

    /// How many are due at this moment, at most all.
    pub fn due_by(&self, at: Instant) -> usize {
        let past = at.saturating_duration_since(self.begin).as_nanos() / self.script.every.as_nanos();
        self.script.most.min(past as usize)
    }

    /// What became of the first `said` messages so far.
    pub fn fates(&self, town: &Town, said: usize) -> Vec<Fate> {
        let arrivals: Vec<_> = (0..town.nodes.len()).map(|node| self.first_copies(town, node)).collect();
        let fate = |nth: usize| {
            let (number, due) = (self.first + nth as u64, self.due(nth));
            let arrivals = &arrivals;
            town.channel(self.script.kind, number).homes.iter().map(move |node| {
                let at = arrivals[*node].get(&number);
                Fate { node: *node, due, after: at.map(|at| at.saturating_duration_since(due)) }
            })
        };
        (0..said).flat_map(fate).collect()
    }

    /// All copies of its messages that came to any node.
    pub fn copies(&self, town: &Town) -> usize {
        let own = self.first..self.first + self.script.most as u64;
        let of =
            |heard: &[crate::node::Heard]| heard.iter().filter(|copy| own.contains(&copy.number)).count();
        town.nodes.iter().map(|node| of(&node.heard())).sum()
    }

    fn first_copies(&self, town: &Town, node: usize) -> HashMap<u64, Instant> {
        let mut first = HashMap::new();
        for heard in town.nodes[node].heard().iter().filter(|heard| heard.number >= self.first) {
            first.entry(heard.number).or_insert(heard.at);
        }
        first
    }
}

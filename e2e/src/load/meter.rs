//! What processes use, and whether others got in the way of what is measured.

mod proc;

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::daemon::Daemon;
use proc::{Machine, Process};

/// What a process is to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// A chat node.
    Server,
    /// RabbitMQ.
    Broker,
    /// The store.
    Store,
    /// What connections go through.
    Proxy,
    /// Kubernetes and the operator.
    Kubernetes,
    /// This program.
    Generator,
}

/// How the processes of a role are found.
#[derive(Clone, Debug)]
pub enum Processes {
    /// By id.
    One(i32),
    /// One by id, and its children.
    Family(i32),
    /// All of a daemon's.
    Of(Daemon),
    /// By the names of their programs.
    Named(&'static [&'static str]),
}

/// Looks at processes again and again.
#[derive(Debug)]
pub struct Meter {
    watched: Vec<(Role, Processes)>,
    begun: Instant,
    machine: Machine,
    known: HashMap<i32, (Role, Process)>,
    ticks: BTreeMap<Role, u64>,
    resident_kib: BTreeMap<Role, u64>,
    resident_before_kib: BTreeMap<Role, u64>,
}

/// What was used in a while.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// How long.
    pub seconds: f64,
    /// By role.
    pub roles: BTreeMap<Role, RoleUsage>,
    /// Time of all cores that others used, in percent.
    pub foreign_percent: f64,
    /// Time that the machine itself did not get, in percent.
    pub steal_percent: f64,
}

/// What the processes of a role used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleUsage {
    /// Time of cores, in s.
    pub cpu_s: f64,
    /// The same in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory at the begin, in KiB.
    pub resident_before_kib: u64,
    /// Resident memory at the end, in KiB.
    pub resident_kib: u64,
}

impl Meter {
    /// Watches these processes, and this one.
    pub fn new(watched: Vec<(Role, Processes)>) -> Result<Self> {
        let own = (Role::Generator, Processes::One(std::process::id().cast_signed()));
        Ok(Self {
            watched: watched.into_iter().chain([own]).collect(),
            begun: Instant::now(),
            machine: Machine::now()?,
            known: HashMap::new(),
            ticks: BTreeMap::new(),
            resident_kib: BTreeMap::new(),
            resident_before_kib: BTreeMap::new(),
        })
    }

    /// Counts from now.
    pub fn begin(&mut self) -> Result<()> {
        self.known.clear();
        for (pid, role, process) in self.processes() {
            self.known.insert(pid, (role, process));
        }
        self.ticks.clear();
        self.look()?;
        self.resident_before_kib = self.resident_kib.clone();
        (self.begun, self.machine) = (Instant::now(), Machine::now()?);
        Ok(())
    }

    /// Adds what was used since the last look. What a process uses between its last look and its end is not seen.
    pub fn look(&mut self) -> Result<()> {
        self.resident_kib.clear();
        for (pid, role, process) in self.processes() {
            let before = match self.known.insert(pid, (role, process)) {
                Some((_, before)) if before.started == process.started => before.ticks,
                _ => 0,
            };
            *self.ticks.entry(role).or_default() += process.ticks.saturating_sub(before);
            *self.resident_kib.entry(role).or_default() += process.resident_kib;
        }
        Ok(())
    }

    /// What was used since the begin.
    pub fn end(&mut self) -> Result<Usage> {
        self.look()?;
        let (seconds, machine) = (self.begun.elapsed().as_secs_f64(), Machine::now()?);
        let of = |ticks: u64| ticks as f64 / proc::TICKS;
        let role = |(role, ticks): (&Role, &u64)| {
            let kib = |of: &BTreeMap<Role, u64>| of.get(role).copied().unwrap_or(0);
            let usage = RoleUsage {
                cpu_s: of(*ticks),
                cpu_percent: of(*ticks) / seconds * 100.0,
                resident_before_kib: kib(&self.resident_before_kib),
                resident_kib: kib(&self.resident_kib),
            };
            (*role, usage)
        };
        let named: u64 = self.ticks.values().sum();
        let [busy, stolen, all] = machine.since(&self.machine);
        let percent = |part: u64| part as f64 / (all.max(1)) as f64 * 100.0;
        Ok(Usage {
            seconds,
            roles: self.ticks.iter().map(role).collect(),
            foreign_percent: percent(busy.saturating_sub(named)),
            steal_percent: percent(stolen),
        })
    }

    fn processes(&self) -> Vec<(i32, Role, Process)> {
        let mut found = Vec::new();
        for (role, processes) in &self.watched {
            let pids = match processes {
                Processes::One(pid) => vec![*pid],
                Processes::Family(pid) => proc::family(*pid),
                Processes::Of(daemon) => daemon.processes(),
                Processes::Named(names) => proc::named(names),
            };
            // One that has ended meanwhile is none.
            found.extend(pids.into_iter().filter_map(|pid| Some((pid, *role, Process::now(pid)?))));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_uses_is_counted_from_the_begin_on() {
        let mut meter = Meter::new(Vec::new()).unwrap();
        meter.begin().unwrap();
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 200 {
            std::hint::spin_loop();
        }
        let usage = meter.end().unwrap();
        let own = usage.roles[&Role::Generator];
        assert!(own.cpu_s >= 0.05 && own.cpu_s <= usage.seconds * 64.0, "{usage:?}");
        assert!(own.resident_kib > 1_000 && own.resident_before_kib > 1_000, "{usage:?}");
        meter.begin().unwrap();
        assert!(meter.end().unwrap().roles[&Role::Generator].cpu_s < own.cpu_s);
    }
}

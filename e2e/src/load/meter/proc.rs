//! What the kernel tells of processes and of the machine.

use std::fs;

use anyhow::{Context, Result};

/// Ticks a second in which the kernel counts time (`getconf CLK_TCK`: 100 wherever this runs).
pub const TICKS: f64 = 100.0;

/// A process at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// When it began: tells it from another one with its id.
    pub started: u64,
    /// Time of cores so far, in ticks.
    pub ticks: u64,
    /// Resident memory, in KiB.
    pub resident_kib: u64,
}

impl Process {
    /// The process with this id, if there is one.
    pub fn now(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name stands in brackets, and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let pages = field(24)?;
        Some(Self { started: field(22)?, ticks: field(14)? + field(15)?, resident_kib: pages * 4 })
    }
}

/// The processes whose programs have one of these names.
pub fn named(names: &[&str]) -> Vec<i32> {
    let is_one = |pid: &i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        names.contains(&name.trim_end())
    };
    all().filter(is_one).collect()
}

/// A process and its children.
pub fn family(parent: i32) -> Vec<i32> {
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok())
            == Some(parent)
    };
    [parent].into_iter().chain(all().filter(is_child)).collect()
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Time of all cores so far, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    busy: u64,
    stolen: u64,
    all: u64,
}

impl Machine {
    /// As it is now.
    pub fn now() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        Self::parse(&stat).context("/proc/stat is not as proc(5) says")
    }

    /// user, nice, system, idle, iowait, irq, softirq, steal.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = line.split_whitespace().take(8).flat_map(str::parse).collect();
        let [user, nice, system, idle, wait, hard, soft, stolen] = times[..] else { return None };
        let busy = user + nice + system + hard + soft;
        Some(Self { busy, stolen, all: busy + idle + wait + stolen })
    }

    /// Busy, stolen and all time since an earlier moment.
    pub fn since(&self, earlier: &Self) -> [u64; 3] {
        let parts = [(self.busy, earlier.busy), (self.stolen, earlier.stolen), (self.all, earlier.all)];
        parts.map(|(now, before)| now.saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_proc5() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 140 15 16 17 18 19 20 21 2200 23 24 25";
        assert_eq!(Process::parse(stat), Some(Process { started: 2_200, ticks: 155, resident_kib: 96 }));
        let stat = "cpu  10 2 30 400 5 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(Machine::parse(stat), Some(Machine { busy: 55, stolen: 8, all: 468 }));
        assert_eq!(Machine::parse("cpu  1 2"), None);
    }

    #[test]
    fn a_process_is_found_by_its_programs_name_and_by_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id().cast_signed();
        assert!(family(std::process::id().cast_signed()).contains(&pid));
        let mut found = named(&["sleep"]);
        while !found.contains(&pid) {
            // Until it has become its program.
            std::thread::yield_now();
            found = named(&["sleep"]);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

//! What the brokers use of this machine's processors.

use std::time::{Duration, Instant};

use crate::brokers::Brokers;

/// Clock ticks a second, in which the kernel counts CPU time (`getconf CLK_TCK`; 100 wherever this runs).
const TICKS: f64 = 100.0;
/// The program that every broker is.
const PROGRAM: &str = "beam.smp";

/// The processes of the brokers; none if they run elsewhere.
pub struct Cpu {
    pids: Vec<u32>,
}

/// What they use while nothing is said.
pub struct Idle {
    cpu: Cpu,
    seconds_per_second: f64,
}

/// What they have used at a moment.
pub struct Reading<'a> {
    idle: &'a Idle,
    at: Instant,
    used: Option<f64>,
}

impl Cpu {
    pub async fn of(brokers: &Brokers) -> Self {
        let pids = brokers.pids().await;
        let here = pids.len() == brokers.count() && pids.iter().all(|pid| is_broker(*pid));
        Self { pids: if here { pids } else { Vec::new() } }
    }

    /// Watches for a while in which nothing is said.
    pub async fn idle(self, length: Duration) -> Idle {
        let (before, begun) = (self.used(), Instant::now());
        tokio::time::sleep(length).await;
        let used = self.used().unwrap_or(0.0) - before.unwrap_or(0.0);
        Idle { seconds_per_second: used / begun.elapsed().as_secs_f64(), cpu: self }
    }

    /// In user and kernel, in s.
    fn used(&self) -> Option<f64> {
        let all: Option<Vec<f64>> = self.pids.iter().map(|pid| seconds_of(*pid)).collect();
        all.filter(|all| !all.is_empty()).map(|all| all.iter().sum())
    }
}

impl Idle {
    pub fn read(&self) -> Reading<'_> {
        Reading { idle: self, at: Instant::now(), used: self.cpu.used() }
    }
}

impl Reading<'_> {
    /// What was used since then and more than while nothing is said, for each of so many, in µs.
    pub fn micros_each(&self, count: usize) -> Option<f64> {
        let used = self.idle.cpu.used()? - self.used?;
        let more = used - self.idle.seconds_per_second * self.at.elapsed().as_secs_f64();
        Some(more.max(0.0) * 1e6 / count.max(1) as f64)
    }
}

fn is_broker(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == PROGRAM)
}

fn seconds_of(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).flat_map(str::parse::<f64>).sum();
    Some(ticks / TICKS)
}

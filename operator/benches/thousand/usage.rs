//! What a process uses, as the kernel says.

use std::fmt;
use std::fs;
use std::time::Duration;

/// The kernel counts time in these, on every architecture that Rust runs on.
const TICKS_A_SECOND: u64 = 100;

/// Memory now and at most, and time so far.
pub struct Usage {
    pub resident_kib: u64,
    /// That part of it which is the program's file, and can be read again.
    pub file_kib: u64,
    pub peak_kib: u64,
    pub cpu: Duration,
}

impl Usage {
    pub fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // After the name in brackets, which may hold anything: the state, and the times as 12th and 13th.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        let cpu = Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND);
        Self { resident_kib: field("VmRSS"), file_kib: field("RssFile"), peak_kib: field("VmHWM"), cpu }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kib: u64| f64::from(u32::try_from(kib).unwrap()) / 1_024.0;
        let [now, file, peak] = [self.resident_kib, self.file_kib, self.peak_kib].map(mib);
        write!(
            f,
            "{now:.1} MiB resident, {file:.1} of it the program, {peak:.1} MiB at most, {:.1?} of CPU so far",
            self.cpu
        )
    }
}

//! Which processor cores belong to whom: a server and what loads it must not take each other's time.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The core of the server that is measured; all others are the generator's.
const SERVER: usize = 0;

/// Whether there are cores to share out.
pub fn can_share() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}

/// Keeps this thread, and what it starts, to the core of the server.
pub fn keep_to_servers() -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(SERVER)?;
    sched_setaffinity(Pid::from_raw(0), &cores).context("cannot choose a core")
}

/// Keeps this thread off the core of the server, where that is possible.
pub fn keep_to_own() {
    let apply = || -> nix::Result<()> {
        let mut cores = sched_getaffinity(Pid::from_raw(0))?;
        cores.unset(SERVER)?;
        sched_setaffinity(Pid::from_raw(0), &cores)
    };
    // Without another core there is nothing to choose.
    let _ = apply();
}

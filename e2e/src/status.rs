//! What runs, and how the cluster sees itself.

use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use crate::binaries::Binaries;
use crate::cgroup;
use crate::cluster::Local;
use crate::control_plane::ControlPlane;
use crate::network::MOST_NODES;
use crate::output;
use crate::paths::Paths;

/// A part of the cluster.
struct Part {
    name: String,
    processes: Vec<i32>,
}

/// Prints every part with its processes and memory, then the nodes and the VibeTalkClusters.
pub async fn print(paths: &Paths) -> Result<()> {
    output::print(&report(paths).await?)
}

async fn report(paths: &Paths) -> Result<String> {
    let binaries = Binaries::locate(paths)?;
    let parts = parts(paths, &binaries)?;
    let mut text = format!("state   {}\n", paths.state.display());
    writeln!(text, "logs    {}  (cargo e2e logs PART)", paths.logs().display())?;
    if parts.iter().all(|part| part.processes.is_empty()) {
        writeln!(text, "nothing runs; start it by `cargo e2e up`")?;
        return Ok(text);
    }
    writeln!(text, "\n{:<26}{:>8}{:>11}{:>10}", "PART", "PID", "PROCESSES", "MEMORY")?;
    for part in &parts {
        writeln!(text, "{}", row(part))?;
    }
    for resource in ["nodes", "vibetalkclusters --all-namespaces"] {
        let words = ["get"].into_iter().chain(resource.split(' '));
        match Local::running(paths, &binaries).kubectl(words).output().await {
            Ok(table) => write!(text, "\n{table}")?,
            Err(error) if error.to_string().contains("doesn't have a resource type") => {}
            Err(error) => writeln!(text, "\n{resource}: {error:#}")?,
        }
    }
    Ok(text)
}

fn parts(paths: &Paths, binaries: &Binaries) -> Result<Vec<Part>> {
    let hierarchies = cgroup::hierarchies()?;
    let plane = ControlPlane::new(paths, binaries)?;
    let nodes = (1..=MOST_NODES).map(|number| format!("n{number}"));
    let names = plane.daemons().map(|daemon| daemon.part.clone()).chain(nodes);
    let with_processes = |name: String| Part { processes: cgroup::processes(&hierarchies, &name), name };
    Ok(names.map(with_processes).collect())
}

fn row(part: &Part) -> String {
    let Some(first) = part.processes.iter().min() else { return format!("{:<26}{:>8}", part.name, "-") };
    let kib: u64 = part.processes.iter().filter_map(|pid| resident(*pid)).sum();
    format!("{:<26}{first:>8}{:>11}{:>6} MiB", part.name, part.processes.len(), kib / 1024)
}

/// The memory that a process has in use, in KiB.
fn resident(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

//! The node's process, and what the kernel says of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Clock ticks a second, in which the kernel counts CPU time (`getconf CLK_TCK`; 100 wherever this runs).
const TICKS: f64 = 100.0;
const LIMITS: &str = "connectionsPerAddress=100000,connectionsPerNode=100000,addressRequestsPerMinute=1000000,\
                      commandsPerMinute=1000000";

/// The node's process; ends with this.
pub struct Node {
    process: Child,
    pub address: String,
    /// Without a reader the node's greeting would fail, and the node with it.
    _out: BufReader<ChildStdout>,
    _data: tempfile::TempDir,
}

/// What the node has used so far.
#[derive(Clone, Copy)]
pub struct Usage {
    pub resident_kib: f64,
    /// Of the whole machine.
    pub slab_kib: f64,
    /// In user and kernel.
    pub cpu_seconds: f64,
}

impl Node {
    pub fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut process = Command::new("taskset")
            .args(["--cpu-list", "0", env!("CARGO_BIN_EXE_chat-node")])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .args(["--limits", LIMITS])
            .envs([("VT_LOG", "warn"), ("TOKIO_WORKER_THREADS", "1")])
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset does not start; it is in Debian's package util-linux")?;
        let out = process.stdout.take().context("the node has no output")?;
        let (mut out, mut line) = (BufReader::new(out), String::new());
        out.read_line(&mut line)?;
        let address = line.trim().split("http://").nth(1);
        let address = address.context("the node's first line is not its address")?.trim_end_matches('/');
        Ok(Self { address: address.to_owned(), process, _out: out, _data: data })
    }

    pub fn usage(&self) -> Result<Usage> {
        let process = format!("/proc/{}", self.process.id());
        let stat = std::fs::read_to_string(format!("{process}/stat"))?;
        let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
        let ticks: f64 = after_name.split_whitespace().skip(11).take(2).flat_map(str::parse::<f64>).sum();
        Ok(Usage {
            resident_kib: field(&format!("{process}/status"), "VmRSS:")?,
            slab_kib: field("/proc/meminfo", "Slab:")?,
            cpu_seconds: ticks / TICKS,
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keeps this thread to the node's core.
pub fn keep_to_first_core() -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cores).context("cannot choose a core")
}

/// Leaves the first core to the node.
pub fn pin_to_last_core() -> Result<()> {
    let last = std::thread::available_parallelism()?.get() - 1;
    let pinned = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", &last.to_string(), &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()?;
    ensure!(pinned.success(), "taskset could not pin this process: {pinned}");
    Ok(())
}

fn field(file: &str, name: &str) -> Result<f64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name}"))?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}

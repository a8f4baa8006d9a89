//! Programs that go on running when this one has ended.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::time::Instant;

use crate::cgroup::{self, Hierarchy};
use crate::paths::Paths;
use crate::process;

/// The environment variable by which a running daemon tells what it was started with.
const MARK: &str = "VT_E2E_SPEC";
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const POLL: Duration = Duration::from_millis(50);
/// How long a process may be between two programs.
const EXEC_PATIENCE: Duration = Duration::from_secs(1);
const ENVIRONMENT_MAX: usize = 64 * 1024;

/// A program with its arguments, that runs as a part of the cluster until it is ended.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// The part's name: of its control group and its log.
    pub part: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What else it is given in its environment.
    pub environment: Vec<(&'static str, String)>,
    /// The text of its configuration files: another text means another daemon.
    pub configuration: String,
    /// The hierarchies in which it gets a group of its own; `pids` is one of them.
    pub groups: Vec<Hierarchy>,
}

impl Daemon {
    /// Starts it unless it runs already with the same command, environment and configuration.
    pub async fn ensure(&self, paths: &Paths) -> Result<()> {
        if self.runs_as_wanted() {
            return Ok(());
        }
        self.end().await?;
        self.start(paths).await
    }

    /// Whether a process of it lives that was started with the same command, environment and configuration.
    pub fn runs_as_wanted(&self) -> bool {
        let digest = self.digest();
        self.processes().into_iter().any(|pid| mark(pid).is_some_and(|mark| mark == digest))
    }

    /// Its processes.
    pub fn processes(&self) -> Vec<i32> {
        cgroup::processes(&self.groups, &self.part)
    }

    /// Kills it and all it started.
    pub async fn end(&self) -> Result<()> {
        cgroup::end(&self.groups, &self.part).await
    }

    /// Sends a signal to all its processes; an error if there are none.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let mut told = BTreeSet::new();
        loop {
            let found = self.processes();
            let new: Vec<i32> = found.into_iter().filter(|pid| told.insert(*pid)).collect();
            for pid in &new {
                // One that has ended meanwhile needs no signal.
                let _ = kill(Pid::from_raw(*pid), signal);
            }
            if told.is_empty() {
                bail!("{} does not run", self.part);
            }
            // What a process started before it was told is new now.
            if new.is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits until `ready` says so. The error shows the log's last lines if it ends before or takes too long.
    pub async fn until(
        &self,
        paths: &Paths,
        patience: Duration,
        mut ready: impl AsyncFnMut() -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !ready().await {
            let log = paths.log(&self.part);
            if self.processes().is_empty() {
                bail!("{} has ended; {}", self.part, process::tail(&log));
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {patience:?}; {}", self.part, process::tail(&log));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// It enters its groups before the program begins, and a session of its own, which no closed terminal ends.
    async fn start(&self, paths: &Paths) -> Result<()> {
        const ENTER: &str =
            "until [ \"$1\" = -- ]; do echo $$ >\"$1/cgroup.procs\" || exit; shift; done; shift; exec \"$@\"";
        let groups: Vec<PathBuf> = cgroup::make(&self.groups, &self.part)?;
        let log = paths.log(&self.part);
        let output = process::append(&log)?;
        let mut child = Command::new("setsid")
            .args(["sh", "-c", ENTER, "sh"])
            .args(groups)
            .arg("--")
            .args(&self.command)
            .env_clear()
            .env("PATH", SYSTEM_PATH)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(MARK, self.digest())
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", self.part))?;
        while self.processes().is_empty() {
            if let Some(status) = child.try_wait()? {
                bail!("{} ended at once ({status}); {}", self.part, process::tail(&log));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    fn digest(&self) -> String {
        let words = self.command.iter().chain(self.environment.iter().map(|(_, value)| value));
        let mut hash = Sha256::new().chain_update(&self.configuration);
        for word in words {
            hash.update(word);
            hash.update([0]);
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether a process is a daemon of ours or was started by one.
pub fn is_marked(pid: i32) -> bool {
    mark(pid).is_some()
}

/// The mark in the environment of a process.
fn mark(pid: i32) -> Option<String> {
    let environment = environment(pid)?;
    let variables = environment.split(|byte| *byte == 0);
    let mut marks = variables.filter_map(|one| one.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="));
    marks.next().map(|mark| String::from_utf8_lossy(mark).into_owned())
}

/// The environment that a process was started with, as much of it as our own daemons can have.
fn environment(pid: i32) -> Option<Vec<u8>> {
    let deadline = std::time::Instant::now() + EXEC_PATIENCE;
    let mut environment = vec![0; ENVIRONMENT_MAX];
    loop {
        // In one step: between two, another program may take the process over, and the rest would be missing.
        let length = File::open(format!("/proc/{pid}/environ")).ok()?.read(&mut environment).ok()?;
        // While that happens there is none.
        if length > 0 || !has_program(pid) || std::time::Instant::now() > deadline {
            environment.truncate(length);
            return Some(environment);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process has a program: kernel threads have none, and zombies no longer.
fn has_program(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(seconds: &str) -> Option<(tempfile::TempDir, Paths, Daemon)> {
        let groups: Vec<Hierarchy> =
            cgroup::hierarchies().ok()?.into_iter().filter(|one| one.has("pids")).collect();
        if !nix::unistd::geteuid().is_root() || groups.is_empty() {
            println!(
                "left out: daemons need control groups of version 1, run as root on a machine that has them"
            );
            return None;
        }
        let state = tempfile::tempdir().ok()?;
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: state.path().into() };
        let command = ["sh", "-c", "sleep $0 & sleep $0", seconds].map(str::to_owned).to_vec();
        let part = format!("trial-{}-{seconds}", std::process::id());
        Some((
            state,
            paths,
            Daemon { part, command, environment: vec![], configuration: String::new(), groups },
        ))
    }

    async fn gone(daemon: &Daemon) -> bool {
        daemon.end().await.unwrap();
        cgroup::remove_root(&daemon.groups);
        daemon.processes().is_empty()
    }

    #[tokio::test]
    async fn a_daemon_is_started_once_and_ended_with_all_it_started() {
        let Some((_state, paths, daemon)) = daemon("61") else { return };
        daemon.ensure(&paths).await.unwrap();
        let first = daemon.processes();
        daemon.ensure(&paths).await.unwrap();
        assert!(first.iter().all(|pid| daemon.processes().contains(pid) && is_marked(*pid)));
        assert!(gone(&daemon).await);
    }

    #[tokio::test]
    async fn another_configuration_is_another_daemon() {
        let Some((_state, paths, mut daemon)) = daemon("62") else { return };
        daemon.ensure(&paths).await.unwrap();
        assert!(daemon.runs_as_wanted());
        daemon.configuration = "changed".into();
        assert!(!daemon.runs_as_wanted());
        assert!(gone(&daemon).await);
    }

    #[test]
    fn the_mark_of_a_process_is_read_also_while_it_changes_its_program() {
        // Each of these shells becomes another one at once, 200 times over.
        let script = "[ $0 -eq 0 ] || exec sh -c \"$1\" $(($0 - 1)) \"$1\"; read -r _";
        let mut child = std::process::Command::new("sh")
            .args(["-c", script, "200", script])
            .env(MARK, "x")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let unread = (0..5_000).filter(|_| mark(pid).is_none()).count();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(unread, 0);
    }

    #[tokio::test]
    async fn a_daemon_that_ends_before_it_is_ready_shows_its_log() {
        let Some((_state, paths, mut daemon)) = daemon("63") else { return };
        daemon.command = ["sh", "-c", "echo the reason; sleep 0.1"].map(str::to_owned).to_vec();
        let start = daemon.ensure(&paths).await;
        let patience = Duration::from_secs(10);
        let error = match start {
            Ok(()) => daemon.until(&paths, patience, async || false).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains("the reason"), "{error}");
        assert!(gone(&daemon).await);
    }
}

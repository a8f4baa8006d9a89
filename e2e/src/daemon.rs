//! Programs that go on running when this one has ended.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
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
        let mark = format!("{MARK}={}", self.digest());
        let marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        self.processes().iter().any(marked)
    }

    /// Its processes.
    pub fn processes(&self) -> Vec<i32> {
        cgroup::processes(&self.groups, &self.part)
    }

    /// Kills it and all it started.
    pub async fn end(&self) -> Result<()> {
        cgroup::end(&self.groups, &self.part).await
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

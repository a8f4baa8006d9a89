//! A chat node's clock that steps while the node runs: what it asks the C library for the time of day, Debian's
//! `libfaketime` answers. The machine's own clock stays right, and so does the time that timers count.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::{ANSWERED_WITHIN, ChatNode, Fleet};
use crate::eventually::eventually;
use crate::offset::Offset;

/// The node whose clock can be set.
pub(super) const STEPPED: usize = 0;
/// A node compares its clock with the store's every ten seconds, if the store answers.
const NOTICED_WITHIN: Duration = Duration::from_secs(40);
/// The farthest that a clock may be off for the node to take users.
const TOLERATED_MS: u64 = 5_000;
/// The loader puts the machine's directory of libraries for `$LIB`.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
/// The library leaves a file of shared memory behind wherever a program is killed: here it goes with the program.
const ENTER: &str = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm; exec \"$@\"";

/// What the nodes of a fleet take the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// The machine's clock.
    Machine,
    /// One of them from a clock that can be set; it is slower.
    Settable,
}

/// A clock that only programs see which are started by [`Self::command`].
#[derive(Debug)]
pub(super) struct SettableClock {
    /// By how much it is off. The library reads it whenever it is asked for the time.
    file: PathBuf,
}

impl Clocks {
    /// A clock that shows the right time, if one is wanted.
    pub(super) fn settable(self, directory: &Path) -> Result<Option<SettableClock>> {
        match self {
            Self::Machine => Ok(None),
            Self::Settable => SettableClock::right(directory).map(Some),
        }
    }
}

impl SettableClock {
    fn right(directory: &Path) -> Result<Self> {
        let clock = Self { file: directory.join("clock") };
        clock.set(0)?;
        Ok(clock)
    }

    /// The command that lets a program see this clock.
    pub fn command(&self, program: &[String]) -> Vec<String> {
        let mut command: Vec<String> =
            ["unshare", "--mount", "--", "sh", "-ec", ENTER, "sh", "env"].map(str::to_owned).into();
        command.extend([
            format!("LD_PRELOAD={LIBRARY}"),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "NO_FAKE_STAT=1".to_owned(),
        ]);
        command.extend_from_slice(program);
        command
    }

    /// Lets it be off by so many seconds.
    fn set(&self, seconds: i64) -> Result<()> {
        // Whoever reads it now finds the old or the new, and never half of it.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))
            .and_then(|()| fs::rename(&new, &self.file))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

impl Fleet {
    /// Lets the clock of one node be off for a while, at least until the node has noticed; back when it has noticed that
    /// its clock is right again.
    pub async fn step_clock(&self, by: Offset, lasts: Duration) -> Result<()> {
        let clock = self.clock.as_ref().context("no clock of this fleet can be set")?;
        let node = &self.nodes[STEPPED];
        let until = Instant::now() + lasts;
        clock.set(by.as_seconds())?;
        let what = format!("{} knows that its clock is off by {by}", node.daemon.part);
        eventually(&what, NOTICED_WITHIN, || node.keeps_users_away(by)).await?;
        sleep_until(until).await;
        clock.set(0)?;
        let what = format!("{} knows that its clock is right again", node.daemon.part);
        eventually(&what, NOTICED_WITHIN, || node.takes_users()).await
    }
}

impl ChatNode {
    /// An error unless it has found its clock to be off by this, and asks for no more users.
    async fn keeps_users_away(&self, by: Offset) -> Result<()> {
        let skew_ms = self.report().await?.clock_skew_ms;
        ensure!(by.explains(skew_ms), "it finds it to be off by {skew_ms} ms");
        ensure!(self.readiness().await? == StatusCode::SERVICE_UNAVAILABLE, "it asks for users all the same");
        Ok(())
    }

    /// An error unless it has found its clock to be right, and asks for users.
    async fn takes_users(&self) -> Result<()> {
        let skew_ms = self.report().await?.clock_skew_ms;
        ensure!(skew_ms.unsigned_abs() <= TOLERATED_MS, "it finds it to be off by {skew_ms} ms");
        ensure!(self.readiness().await? == StatusCode::OK, "it asks for no users");
        Ok(())
    }

    async fn readiness(&self) -> Result<StatusCode> {
        let url = format!("http://{}/readyz", self.admin);
        Ok(reqwest::Client::new().get(&url).timeout(ANSWERED_WITHIN).send().await?.status())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::client::now_ms;

    /// Tells the time by its own clock whenever it is asked.
    const TELL: [&str; 3] = ["perl", "-ne", "BEGIN { $| = 1 } print time, \"\\n\""];

    fn can_be() -> bool {
        let look = "unshare --mount true && ls /usr/lib/*/faketime/libfaketimeMT.so.1";
        Command::new("sh").args(["-c", look]).output().is_ok_and(|looked| looked.status.success())
    }

    #[test]
    fn a_clock_steps_in_a_program_that_runs() {
        if !can_be() {
            println!("left out: a clock that steps needs root and the Debian package libfaketime");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let clock = SettableClock::right(directory.path()).unwrap();
        let command = clock.command(&TELL.map(str::to_owned));
        let mut program = Command::new(&command[0]);
        program.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = program.spawn().unwrap();
        let mut input = program.stdin.take().unwrap();
        let mut output = BufReader::new(program.stdout.take().unwrap());
        for off in [0, -3_600, 7_200, 0] {
            clock.set(off).unwrap();
            let now = i64::try_from(now_ms() / 1_000).unwrap();
            input.write_all(b"\n").unwrap();
            let mut told = String::new();
            output.read_line(&mut told).unwrap();
            let told: i64 = told.trim().parse().unwrap();
            assert!((now + off - 1..now + off + 30).contains(&told), "{off}: {told} at {now}");
        }
        drop(input);
        assert!(program.wait().unwrap().success());
    }
}

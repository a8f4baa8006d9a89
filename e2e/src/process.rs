//! Runs other programs: output into a part's log, a deadline, and the log's last lines in the error.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

/// How many lines of a log an error shows.
const TAIL_LINES: usize = 15;
/// How much of each of them.
const LINE_LENGTH: usize = 400;

/// A program that must end by itself, successfully and in time.
#[derive(Debug)]
pub struct Run {
    command: Command,
    shown: String,
    deadline: Duration,
    input: Option<String>,
}

impl Run {
    /// `program`, with ten minutes to end and no standard input.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(&program);
        command.stdin(Stdio::null()).kill_on_drop(true);
        Self {
            command,
            shown: program.as_ref().to_string_lossy().into_owned(),
            deadline: Duration::from_secs(600),
            input: None,
        }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self.shown.push(' ');
            self.shown.push_str(&arg.as_ref().to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in `directory`.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives it `deadline` to end.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Gives it this text to read, such as a manifest for `kubectl apply -f -`.
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(text.into());
        self
    }

    /// Runs it with all output appended to `log`. The error names the program and shows the log's last lines.
    pub async fn logged(mut self, log: &Path) -> Result<()> {
        let out = append(log)?;
        self.command.stdout(out.try_clone()?).stderr(out);
        let mut child = self.spawn()?;
        let ended = async { tokio::join!(write(child.stdin.take(), self.input.take()), child.wait()).1 };
        let status = match tokio::time::timeout(self.deadline, ended).await {
            Ok(status) => status?,
            Err(_) => {
                bail!("`{}` did not end in {:?}; {}", self.shown, self.deadline, tail(log))
            }
        };
        if !status.success() {
            bail!("`{}` failed ({status}); {}", self.shown, tail(log));
        }
        Ok(())
    }

    /// Runs it and returns what it printed. The error names the program and shows what it said on standard error.
    pub async fn output(mut self) -> Result<String> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn()?;
        let (stdin, input) = (child.stdin.take(), self.input.take());
        let ended = async { tokio::join!(write(stdin, input), child.wait_with_output()).1 };
        let output = match tokio::time::timeout(self.deadline, ended).await {
            Ok(output) => output?,
            Err(_) => bail!("`{}` did not end in {:?}", self.shown, self.deadline),
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{}` failed ({}): {}", self.shown, output.status, said.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no text", self.shown))
    }

    fn spawn(&mut self) -> Result<Child> {
        self.command.spawn().with_context(|| format!("cannot start `{}`", self.shown))
    }
}

/// What the program says of input that it did not want is in its own output and status.
async fn write(stdin: Option<ChildStdin>, input: Option<String>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        let _ = stdin.write_all(input.as_bytes()).await;
    }
}

/// Opens a log for appending; makes its directory.
pub fn append(log: &Path) -> Result<File> {
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))
}

/// The last lines of a log, introduced by its path.
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let cut = |line: &&str| line.chars().take(LINE_LENGTH).collect::<String>();
    let last: Vec<String> = lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(cut).collect();
    format!("the last lines of {}:\n{}", log.display(), last.join("\n"))
}

/// The path of a program on `PATH` or in the system's directories.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_reads_the_input_that_it_is_given() {
        assert_eq!(Run::new("cat").input("a manifest").output().await.unwrap(), "a manifest");
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_lines_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("part.log");
        let error = Run::new("sh").args(["-c", "echo the reason; exit 3"]).logged(&log).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("part.log") && text.contains("the reason"), "{text}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_in_time_is_ended() {
        let run = Run::new("sleep").args(["60"]).deadline(Duration::from_millis(20));
        assert!(run.output().await.unwrap_err().to_string().contains("did not end"));
    }
}

//! The crates' own tests, by `cargo test`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::case::Tally;
use crate::cargo;
use crate::product::Backends;

/// For building and running them all on a slow machine.
const DEADLINE: Duration = Duration::from_secs(40 * 60);

/// What the tests may use beside this machine's processor.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Directory with `etcd`, `kube-apiserver` and `helm`.
    pub api_server: Option<PathBuf>,
    /// Files with the definitions of optional kinds, separated by colons.
    pub definitions: Option<OsString>,
    /// Broker and store of a running cluster.
    pub backends: Option<Backends>,
}

/// Runs the tests of all crates, or those whose names contain `words`, and counts them.
pub async fn run(tree: &Path, words: Option<&str>, surroundings: &Surroundings) -> Result<Tally> {
    let mut command = cargo::command();
    command.args(["test", "--workspace", "--no-fail-fast", "--"]).args(words);
    for (name, value) in variables(surroundings) {
        command.env(name, value);
    }
    command.current_dir(tree).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let work = async {
        let mut tally = Tally::default();
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            println!("{line}");
            add(&mut tally, &line);
        }
        let status = child.wait().await?;
        if !status.success() && tally.failed == 0 {
            tally.count("the crates and their tests compile", false);
        }
        Ok(tally)
    };
    tokio::time::timeout(DEADLINE, work)
        .await
        .with_context(|| format!("cargo test did not end within {} minutes", DEADLINE.as_secs() / 60))?
}

fn variables(surroundings: &Surroundings) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if let Some(directory) = &surroundings.api_server {
        variables.push(("KUBEBUILDER_ASSETS", directory.to_string_lossy().into_owned()));
    }
    if let Some(files) = &surroundings.definitions {
        variables.push(("VIBETALK_TEST_DEFINITIONS", files.to_string_lossy().into_owned()));
    }
    if let Some(backends) = &surroundings.backends {
        variables.push(("VIBETALK_TEST_MONGODB_URI", backends.mongodb_uri.clone()));
        variables.push(("VT_TEST_RABBITMQ_URI", backends.broker.uri()));
        variables.push(("VT_TEST_RABBITMQ_MANAGEMENT", backends.broker.management_with_login()));
    }
    variables
}

/// Reads libtest's `test result: ok. 12 passed; 0 failed; …` and `test name ... FAILED`.
fn add(tally: &mut Tally, line: &str) {
    if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
        tally.failures.push(name.to_owned());
    }
    let Some(counts) = line.strip_prefix("test result: ") else { return };
    for part in counts.split(['.', ';']) {
        match part.trim().split_once(' ') {
            Some((number, "passed")) => tally.passed += number.parse().unwrap_or(0),
            Some((number, "failed")) => tally.failed += number.parse().unwrap_or(0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test b::c ... FAILED",
            "test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 7 filtered out; finished in 0.01s",
            "test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            add(&mut tally, line);
        }
        assert_eq!((tally.passed, tally.failed), (12, 1));
        assert_eq!(tally.failures, ["b::c"]);
    }
}

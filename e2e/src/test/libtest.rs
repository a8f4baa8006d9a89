//! The crates' own tests, run by `cargo test`: what they print is passed on, and counted.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::case::Tally;
use crate::cargo;

/// For building and running them all on a slow machine.
const DEADLINE: Duration = Duration::from_secs(40 * 60);
/// What a test prints that cannot run here.
const LEFT_OUT: &str = "left out: ";

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The tests.
    pub tally: Tally,
    /// What tests said that they left out. Tests that pass say so only when they are run with `--nocapture`.
    pub left_out: Vec<String>,
}

/// Runs `cargo test --workspace` with more arguments and variables.
pub async fn run(tree: &Path, args: &[&str], variables: &[(&'static str, String)]) -> Result<Outcome> {
    let mut command = cargo::command();
    command.args(["test", "--workspace", "--no-fail-fast"]).args(args);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.current_dir(tree).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let work = async {
        let mut outcome = Outcome::default();
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            println!("{line}");
            add(&mut outcome, &line);
        }
        let status = child.wait().await?;
        if !status.success() && outcome.tally.failed == 0 {
            outcome.tally.count("the crates and their tests compile", false);
        }
        Ok(outcome)
    };
    tokio::time::timeout(DEADLINE, work)
        .await
        .with_context(|| format!("cargo test did not end within {} minutes", DEADLINE.as_secs() / 60))?
}

/// Reads libtest's `test result: ok. 12 passed; 0 failed; …` and `test name ... FAILED`.
fn add(outcome: &mut Outcome, line: &str) {
    let tally = &mut outcome.tally;
    // With `--nocapture` a test's own words may stand before or after its name.
    if let Some(at) = line.find(LEFT_OUT) {
        outcome.left_out.push(line[at + LEFT_OUT.len()..].to_owned());
    }
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
        let mut outcome = Outcome::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test b::c ... FAILED",
            "test d ... left out: RabbitMQ, set A",
            "test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 7 filtered out; finished in 0.01s",
            "test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            add(&mut outcome, line);
        }
        assert_eq!((outcome.tally.passed, outcome.tally.failed), (12, 1));
        assert_eq!(outcome.tally.failures, ["b::c"]);
        assert_eq!(outcome.left_out, ["RabbitMQ, set A"]);
    }
}

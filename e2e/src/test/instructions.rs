//! How many instructions a chat node needs for a message. Unlike times, counts are the same on a busy machine.

mod budget;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::paths::Paths;
use crate::process::{self, Run};
use crate::progress::Progress;
use crate::release;
use crate::up;

use budget::{Budget, Figure};

/// What holds if the test passes.
pub const NAME: &str = "a message takes as many instructions as are written down";
/// Set to `write`, it makes the test write down what it finds.
const VARIABLE: &str = "VT_INSTRUCTIONS";
const PROGRAM: &str = "instructions";
/// Longer than any run takes, and much of it.
const RUN_DEADLINE: Duration = Duration::from_secs(120);
/// The C library copies memory in ways that depend on the processor; these are in all.
const SAME_EVERYWHERE: &str = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM";

/// Why the test cannot run here, if it cannot.
pub fn hindrance() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        return Some("the figures are of x86-64");
    }
    let can_run = process::find("valgrind").is_some() || up::possible();
    (!can_run).then_some("there is no valgrind; install it")
}

/// Compiles and installs what the test needs; gives the program whose instructions are counted.
pub async fn prepare(paths: &Paths, progress: &Progress) -> Result<PathBuf> {
    if process::find("valgrind").is_none() {
        packages::ensure(paths, progress, &packages::COUNTING).await?;
    }
    // The chat node too: its image or the next test needs it.
    Ok(release::build(paths, progress, &["chat-node", PROGRAM]).await?.join(PROGRAM))
}

/// Counts, and compares with the figures in the work tree, or writes them.
pub async fn compare(paths: &Paths, program: &Path) -> Result<()> {
    let file = paths.tree.join(budget::FILE);
    let mut budget = Budget::read(&file)?;
    let mut found = Vec::new();
    for (name, figure) in &budget.figures {
        let instructions = per_message(program, name, figure).await?;
        println!("  {name}: {instructions} instructions a message");
        found.push((name.clone(), instructions));
    }
    if std::env::var(VARIABLE).is_ok_and(|value| value == "write") {
        return budget.write(&file, &found);
    }
    let moved: Vec<String> =
        found.iter().filter_map(|(name, instructions)| budget.complaint(name, *instructions)).collect();
    if moved.is_empty() {
        return Ok(());
    }
    bail!(
        "{}\nIf that is meant, `{VARIABLE}=write cargo e2e test instructions` writes it into {}",
        moved.join("\n"),
        budget::FILE
    )
}

/// What the messages have in common with the program's start falls out of the difference.
async fn per_message(program: &Path, case: &str, figure: &Figure) -> Result<u64> {
    let [few, many] = figure.messages;
    let counted = (count(program, (case, few)).await?, count(program, (case, many)).await?);
    let difference = counted.1.checked_sub(counted.0).context("more messages took fewer instructions")?;
    Ok(difference / u64::from(many - few))
}

async fn count(program: &Path, (case, messages): (&str, u32)) -> Result<u64> {
    let said = Run::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--vgdb=no", "--log-fd=1"])
        .args([program])
        .args([case, &messages.to_string()])
        .env("GLIBC_TUNABLES", SAME_EVERYWHERE)
        .deadline(RUN_DEADLINE)
        .output()
        .await?;
    collected(&said).with_context(|| format!("valgrind counted nothing: {said}"))
}

/// Reads callgrind's `==7== Collected : 12345`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.split_once("Collected : "))?;
    line.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_valgrind_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 12345\n==7== \n==7== I   refs:      12,345\n";
        assert_eq!(collected(said), Some(12_345));
        assert_eq!(collected("==7== Command: true\n"), None);
    }
}

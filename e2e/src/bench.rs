//! `cargo e2e bench`: profiles run several times, and what came of it.

mod chart;
mod figure;
mod page;
mod series;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

use crate::args::Bench;
use crate::load::{Report, Target};
use crate::output;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::release;

use series::Series;

/// The profiles that are run if none are named.
const USUAL: [&str; 5] = ["fan-out", "channels", "direct", "storm", "resume"];
/// Runs that were disturbed are repeated so often.
const TRIES: usize = 4;

/// A profile, what it is let loose on, and the chat node's program.
type What<'a> = (&'a str, &'a Target, &'a Path);

/// Runs profiles several times; with another program, each time both, one after the other.
pub async fn run(paths: &Paths, progress: &Progress, bench: Bench) -> Result<ExitCode> {
    if cfg!(debug_assertions) {
        return release::take_over(paths, progress).await;
    }
    ensure!(
        !matches!(bench.target, Target::Url(_)),
        "bench runs on node, fleet or cluster; for a URL see `cargo e2e load`"
    );
    ensure!(
        bench.against.is_none() || bench.target != Target::Cluster,
        "the cluster runs the chat node of `cargo e2e up`: --against needs --target node or fleet"
    );
    let named = &bench.profiles;
    let names = if named.is_empty() { USUAL.map(str::to_owned).to_vec() } else { named.clone() };
    let mut all = Vec::new();
    for name in &names {
        let series = series(paths, progress, (name, &bench)).await?;
        output::print(&format!("\n## {name}\n\n{}\n", page::table(&series)))?;
        all.push(series);
    }
    if bench.publish {
        publish(paths, &all)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn series(paths: &Paths, progress: &Progress, (name, bench): (&str, &Bench)) -> Result<Series> {
    let program = release::build(paths, progress, &["chat-node"]).await?.join("chat-node");
    let mut series = Series { own: Vec::new(), other: Vec::new() };
    for number in 1..=bench.runs {
        let say = |which: &str| progress.say(format_args!("{name}, run {number} of {}: {which}", bench.runs));
        let Some(other) = &bench.against else {
            say("this");
            series.own.push(undisturbed(paths, progress, (name, &bench.target, &program)).await?);
            continue;
        };
        // Who comes first changes, so that none gains from it.
        let own_first = number % 2 == 1;
        for own in [own_first, !own_first] {
            say(if own { "this" } else { "other" });
            let program = if own { &program } else { other };
            let report = undisturbed(paths, progress, (name, &bench.target, program)).await?;
            if own { series.own.push(report) } else { series.other.push(report) }
        }
    }
    Ok(series)
}

/// A run that nobody disturbed.
async fn undisturbed(paths: &Paths, progress: &Progress, what: What<'_>) -> Result<Report> {
    for _ in 0..TRIES {
        let report = once(paths, what).await?;
        if report.void.is_empty() {
            return Ok(report);
        }
        progress.say(format_args!("void, once more: {}", report.void.join("; ")));
    }
    bail!("{} was disturbed {TRIES} times; end what else runs on this machine, and try again", what.0)
}

/// A run in a process of its own, so that none has the memory of another.
async fn once(paths: &Paths, (name, target, program): What<'_>) -> Result<Report> {
    let file = paths.state.join(format!("bench-{}.json", std::process::id()));
    fs::create_dir_all(&paths.state)?;
    let own = std::env::current_exe().context("where is this program?")?;
    let mut command = Command::new(own);
    command
        .args(["load", name, "--target", &target.to_string(), "--chat-node"])
        .arg(program)
        .arg("--report")
        .arg(&file)
        .kill_on_drop(true);
    let status = command.status().await.context("cannot start a run")?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    let text = fs::read(&file).with_context(|| format!("no report at {}", file.display()))?;
    let _ = fs::remove_file(&file);
    serde_json::from_slice(&text).context("the report is not as it was written")
}

/// Writes the reports into the work tree, the charts, and the page that is made from all that are there.
fn publish(paths: &Paths, all: &[Series]) -> Result<()> {
    let directory = paths.tree.join("e2e/benchmarks");
    fs::create_dir_all(&directory)?;
    for series in all {
        let Some(first) = series.own.first() else { continue };
        let file = directory.join(format!("{}.json", first.name));
        write(&file, serde_json::to_vec_pretty(&series.own)?)?;
    }
    let published = published(&directory)?;
    for series in &published {
        if let Some((first, chart)) = series.own.first().zip(chart::chart(series)) {
            write(&directory.join(format!("{}.svg", first.name)), chart.into_bytes())?;
        }
    }
    write(&paths.tree.join("e2e/BENCHMARKS.md"), page::page(&published).into_bytes())
}

fn published(directory: &Path) -> Result<Vec<Series>> {
    let entries = fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let own =
            serde_json::from_slice(&text).with_context(|| format!("{} is no report", file.display()))?;
        Ok(Series { own, other: Vec::new() })
    };
    files.iter().map(read).collect()
}

fn write(file: &Path, content: Vec<u8>) -> Result<()> {
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

//! `cargo e2e bench`: profiles run several times, and what came of it.

mod appends;
mod broker;
mod chart;
mod figure;
mod floor;
mod goal;
mod history;
mod page;
mod program;
mod series;
mod store;
mod studies;
mod study;
mod two_nodes;

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
use studies::Studies;

/// The profiles that are run if none are named.
const USUAL: [&str; 5] = ["fan-out", "channels", "direct", "storm", "resume"];
/// How often each is run if nothing is said.
const RUNS: u32 = 5;
/// What is written by hand, in the directory of what was measured.
const BY_HAND: &str = "limits.md";
/// Runs that were disturbed are repeated so often.
const TRIES: usize = 4;

/// A profile, what it is let loose on, and the chat node's program.
type What<'a> = (&'a str, &'a Target, &'a Path);

/// Runs profiles several times; with another program, each time both, one after the other.
pub async fn run(paths: &Paths, progress: &Progress, bench: Bench) -> Result<ExitCode> {
    let named = &bench.profiles;
    let names = if named.is_empty() { USUAL.map(str::to_owned).to_vec() } else { named.clone() };
    check(&bench, &names)?;
    // What measures otherwise than by load is a program of its own, but for one.
    if cfg!(debug_assertions) && names.iter().any(|name| !is_study(name) || name == studies::OWN) {
        return release::take_over(paths, progress).await;
    }
    let (mut all, mut studies) = (Vec::new(), Studies::default());
    for name in &names {
        if is_study(name) {
            let text = studies.measure(name, (paths, progress), bench.runs).await?;
            output::print(&format!("\n## {name}\n\n{text}\n"))?;
            continue;
        }
        let series = series(paths, progress, (name, &bench)).await?;
        output::print(&format!("\n## {name}\n\n{}\n", page::table(&series)))?;
        all.push(series);
    }
    if bench.publish {
        publish(paths, &all, &studies)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether this is measured otherwise than by load.
fn is_study(name: &str) -> bool {
    studies::NAMES.contains(&name)
}

/// An error if this cannot be measured.
fn check(bench: &Bench, names: &[String]) -> Result<()> {
    ensure!(
        !matches!(bench.target, Target::Url(_)),
        "bench runs on node, fleet or cluster; for a URL see `cargo e2e load`"
    );
    if bench.against.is_some() {
        ensure!(
            bench.target != Target::Cluster,
            "the cluster runs the chat node of `cargo e2e up`: --against needs --target node or fleet"
        );
        let study = names.iter().find(|name| is_study(name));
        ensure!(
            study.is_none(),
            "`{}` is no load profile: there is no other program to compare",
            study.map_or("", |name| name)
        );
    }
    Ok(())
}

async fn series(paths: &Paths, progress: &Progress, (name, bench): (&str, &Bench)) -> Result<Series> {
    let program = release::build(paths, progress, &["chat-node"]).await?.join("chat-node");
    let mut series = Series { own: Vec::new(), other: Vec::new() };
    let runs = bench.runs.unwrap_or(RUNS);
    for number in 1..=runs {
        let say = |which: &str| progress.say(format_args!("{name}, run {number} of {runs}: {which}"));
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

/// Writes what was measured into the work tree, the charts, and the page that is made from all that is there.
fn publish(paths: &Paths, all: &[Series], studies: &Studies) -> Result<()> {
    let directory = paths.tree.join("e2e/benchmarks");
    fs::create_dir_all(&directory)?;
    for series in all {
        let Some(first) = series.own.first() else { continue };
        let file = directory.join(format!("{}.json", first.name));
        write(&file, serde_json::to_vec_pretty(&series.own)?)?;
    }
    for (name, content) in studies.files()? {
        write(&directory.join(name), content)?;
    }
    let (published, studies) = (published(&directory)?, Studies::published(&directory)?);
    for series in &published {
        if let Some((first, chart)) = series.own.first().zip(chart::chart(series)) {
            write(&directory.join(format!("{}.svg", first.name)), chart.into_bytes())?;
        }
    }
    for (name, content) in studies.files()? {
        write(&directory.join(name), content)?;
    }
    let by_hand = study::read(&directory.join(BY_HAND))?;
    let page = page::page(&published, &studies.sections(), by_hand.as_deref());
    write(&paths.tree.join("e2e/BENCHMARKS.md"), page.into_bytes())
}

/// The series of all profiles; what was measured otherwise lies in the same directory.
fn published(directory: &Path) -> Result<Vec<Series>> {
    let entries = fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let is_series = |file: &PathBuf| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        file.extension().is_some_and(|extension| extension == "json") && !is_study(&stem)
    };
    let mut files: Vec<PathBuf> = entries.filter(is_series).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::sample;

    #[test]
    fn what_is_published_of_profiles_and_otherwise_is_on_one_page_with_what_is_written_by_hand() {
        let tree = tempfile::tempdir().unwrap();
        let of = |path: &str| tree.path().join(path);
        let paths = Paths { tree: of(""), cache: of("cache"), state: of("state") };
        let studies = Studies {
            floor: Some(floor::sample()),
            two_nodes: Some(two_nodes::sample()),
            appends: Some(appends::sample()),
            history: Some(history::sample()),
            broker: Some(broker::sample()),
        };
        publish(&paths, &[], &studies).unwrap();
        fs::write(of("e2e/benchmarks").join(BY_HAND), "## By hand\n").unwrap();
        publish(&paths, &[Series { own: vec![sample()], other: Vec::new() }], &Studies::default()).unwrap();
        let page = fs::read_to_string(of("e2e/BENCHMARKS.md")).unwrap();
        let heads: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(
            heads,
            ["## fan-out", "## floor", "## two-nodes", "## appends", "## history", "## broker", "## By hand"]
        );
        for name in ["floor", "two-nodes", "appends", "history", "broker", "fan-out"] {
            assert!(of("e2e/benchmarks").join(name).with_extension("json").is_file(), "{name}");
            assert!(of("e2e/benchmarks").join(name).with_extension("svg").is_file(), "{name}");
        }
    }
}

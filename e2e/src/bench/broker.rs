//! RabbitMQ under the chat nodes' bus: each type of server queue with each routing, on one node and on three.

mod conclusion;
mod study;
mod table;

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, timeout};

use super::{chart, page};
use crate::cargo;
use crate::load::{Meter, Processes, Role, Surroundings};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::site::{self, Member, Site};

use study::Part;
pub use study::Study;
#[cfg(test)]
pub use study::sample;

/// What it is called among the profiles.
pub const NAME: &str = "broker";
/// What is published of it.
pub const FILE: &str = "broker.json";
/// Its chart.
pub const CHART: &str = "broker.svg";

/// Nodes of RabbitMQ.
const BROKERS: [u8; 2] = [1, site::MOST_BROKERS];
/// All of them take five minutes; on a slow machine, more.
const MEASURED_WITHIN: Duration = Duration::from_secs(20 * 60);
/// Between two looks at what processes use.
const LOOK: Duration = Duration::from_secs(1);

/// Starts brokers and measures them, so many times.
pub async fn run(paths: &Paths, progress: &Progress, runs: u32) -> Result<Study> {
    if let Some(hindrance) = site::hindrance() {
        bail!("there can be no RabbitMQ here: {hindrance}");
    }
    let _lock = Lock::take(paths)?;
    site::prepare(paths, progress).await?;
    let args = ["bench", "--bench", NAME, "--no-run"];
    let program = progress.step("compile what measures", cargo::compile(&paths.tree, &args, NAME)).await?;
    let mut parts = Vec::new();
    for number in 1..=runs {
        for brokers in BROKERS {
            progress.say(format_args!("{NAME}, run {number} of {runs}: brokers: {brokers}"));
            parts.push(part(paths, &program, brokers).await?);
        }
    }
    Ok(Study { surroundings: Surroundings::look(&paths.tree, Vec::new()).await, parts })
}

/// Measures on a site of its own, which is ended whatever comes of it.
async fn part(paths: &Paths, program: &Path, brokers: u8) -> Result<Part> {
    let site = Site::build_brokers(paths, site::PARTS, brokers).await?;
    let measured = tokio::select! {
        measured = on(&site, program) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    site.end().await?;
    measured
}

async fn on(site: &Site, program: &Path) -> Result<Part> {
    let uris: Vec<String> = site.brokers().map(|number| site.broker_uri(number)).collect();
    let mut command = Command::new(program);
    command
        .env("VT_TEST_RABBITMQ_CLUSTER", uris.join(","))
        .env("VT_TEST_RABBITMQ_MANAGEMENT", site.backends()?.broker.management_with_login())
        .env("VT_TEST_RABBITMQ_FAULT", site.order_program())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().context("cannot start what measures")?;
    let id = child.id().context("what measures has ended at once")?;
    let brokers = site.brokers().map(|number| site.daemon_of(Member::Broker(number)));
    let watched = brokers.map(|daemon| (Role::Broker, Processes::Of(daemon)));
    let own = (Role::Generator, Processes::One(id.cast_signed()));
    let mut meter = Meter::new(watched.chain([own]).collect())?;
    meter.begin()?;
    let output = timeout(MEASURED_WITHIN, watch(child, &mut meter)).await;
    let measured = serde_json::from_slice(&output.context("the measurements take too long")??);
    let usage = meter.end()?;
    let measured = measured.context("what was measured is not what was expected")?;
    Ok(Part { measured, foreign_percent: usage.foreign_percent, steal_percent: usage.steal_percent })
}

/// What it prints. The meter has to look now and then, as brokers die meanwhile.
async fn watch(child: Child, meter: &mut Meter) -> Result<Vec<u8>> {
    let mut output = pin!(child.wait_with_output());
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            output = &mut output => {
                let output = output?;
                ensure!(output.status.success(), "the measurements failed ({})", output.status);
                return Ok(output.stdout);
            }
            _ = looks.tick() => meter.look()?,
        }
    }
}

/// What was published last, if ever.
pub fn published(directory: &Path) -> Result<Option<Study>> {
    match fs::read(directory.join(FILE)) {
        Ok(text) => {
            serde_json::from_slice(&text).with_context(|| format!("{FILE} holds something else")).map(Some)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {FILE}")),
    }
}

/// Its part of the page.
pub fn section(study: &Study) -> String {
    let mut text = format!("\n## {NAME}\n\n{}\n", table::METHOD);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{}. {}\n\n{}",
        page::place(&study.surroundings),
        table::circumstances(study),
        self::text(study)
    );
    let _ = write!(text, "\n![Longest times of {NAME}](benchmarks/{CHART})\n");
    text
}

/// The tables, and what follows from them.
pub fn text(study: &Study) -> String {
    format!("{}\n{}", table::tables(study), conclusion::conclusion(study))
}

/// The chart: how long nearly all messages to a group took at most, of each combination.
pub fn chart(study: &Study) -> String {
    let rows: Vec<_> = study
        .keys()
        .into_iter()
        .filter_map(|key| Some((key.to_string(), study.figure(key, |cell| Some(cell.group.p99_ms))?)))
        .collect();
    chart::bars("broker: time in ms that 99 % of the deliveries in groups of ten took at most", &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_tables_the_conclusion_and_the_chart() {
        let text = section(&sample());
        for part in ["\n## broker\n", "| brokers | queue | routing |", "\n- ", "(benchmarks/broker.svg)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_combination_has_its_bar() {
        let svg = chart(&sample());
        assert_eq!(svg.matches("<rect x=").count(), 12);
        assert!(svg.contains("3 · Quorum · Static"), "{svg}");
    }

    #[test]
    fn what_was_never_published_is_no_error() {
        assert!(published(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }
}

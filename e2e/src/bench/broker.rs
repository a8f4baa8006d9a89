//! RabbitMQ under the chat nodes' bus: each type of server queue with each routing, on one node and on three.

mod conclusion;
mod study;
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tokio::process::Command;

use super::study::{Part, Subject};
use super::{chart, program};
use crate::load::{Processes, Role, Surroundings};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::site::{self, Member, Site};

#[cfg(test)]
pub use study::sample;
pub use study::{Measured, Study};

/// How often it is run if nothing is said.
pub const RUNS: u32 = 1;
/// Nodes of RabbitMQ.
const BROKERS: [u8; 2] = [1, site::MOST_BROKERS];
/// All of them take five minutes; on a slow machine, more.
const MEASURED_WITHIN: Duration = Duration::from_secs(20 * 60);

/// Starts brokers and measures them, so many times.
pub async fn run(paths: &Paths, progress: &Progress, runs: u32) -> Result<Study> {
    if let Some(hindrance) = site::hindrance() {
        bail!("there can be no RabbitMQ here: {hindrance}");
    }
    let _lock = Lock::take(paths)?;
    site::prepare(paths, progress).await?;
    let program = program::compile(paths, progress, Measured::NAME).await?;
    let parts =
        Part::of_all((progress, runs), &BROKERS, async |size| part(paths, &program, size).await).await?;
    Ok(Study { surroundings: Surroundings::look(&paths.tree, Vec::new()).await, parts })
}

/// Measures on a site of its own, which is ended whatever comes of it.
async fn part(paths: &Paths, program: &Path, brokers: u8) -> Result<Part<Measured>> {
    let site = Site::build_brokers(paths, site::PARTS, brokers).await?;
    let measured = tokio::select! {
        measured = on(&site, program) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    site.end().await?;
    measured
}

async fn on(site: &Site, program: &Path) -> Result<Part<Measured>> {
    let uris: Vec<String> = site.brokers().map(|number| site.broker_uri(number)).collect();
    let mut command = Command::new(program);
    command
        .env("VT_TEST_RABBITMQ_CLUSTER", uris.join(","))
        .env("VT_TEST_RABBITMQ_MANAGEMENT", site.backends()?.broker.management_with_login())
        .env("VT_TEST_RABBITMQ_FAULT", site.order_program());
    let brokers = site.brokers().map(|number| site.daemon_of(Member::Broker(number)));
    let watched = brokers.map(|daemon| (Role::Broker, Processes::Of(daemon)));
    program::measure(command, watched, MEASURED_WITHIN).await
}

impl Subject for Measured {
    const NAME: &'static str = "broker";
    const METHOD: &'static str = table::METHOD;
    const CAPTION: &'static str = "Longest times of broker";
    const SIZE_OF: Option<&'static str> = Some("brokers");

    fn size(&self) -> usize {
        self.brokers.into()
    }

    fn text(study: &Study) -> String {
        format!("{}\n{}", table::tables(study), conclusion::conclusion(study))
    }

    /// How long nearly all messages to a group took at most, of each combination.
    fn chart(study: &Study) -> String {
        let row =
            |key: study::Key| Some((key.to_string(), study.figure(key, |cell| Some(cell.group.p99_ms))?));
        let rows: Vec<_> = study.keys().into_iter().filter_map(row).collect();
        chart::bars("broker: time in ms that 99 % of the deliveries in groups of ten took at most", &rows)
    }

    fn versions(study: &Study) -> String {
        table::versions(study)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::study::Shown;

    #[test]
    fn the_page_has_the_tables_the_conclusion_and_the_chart() {
        let text = sample().section();
        for part in ["\n## broker\n", "| brokers | queue | routing |", "\n- ", "(benchmarks/broker.svg)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_combination_has_its_bar() {
        let svg = Measured::chart(&sample());
        assert_eq!(svg.matches("<rect x=").count(), 12);
        assert!(svg.contains("3 · Quorum · Static"), "{svg}");
    }

    #[test]
    fn what_was_never_published_is_no_error() {
        assert!(Study::published(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }
}

//! Pages of history out of a store that holds many messages.

mod conclusion;
mod measured;
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use tokio::process::Command;

use super::study::{ALIKE, Part, Study, Subject};
use super::{chart, program};
use crate::load::{Processes, Role, Surroundings};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::site::{self, Member, Site};

pub use measured::Measured;
#[cfg(test)]
pub use measured::sample;

/// How often it is run if nothing is said.
pub const RUNS: u32 = 3;
/// Both stores take some minutes; on a slow machine, more.
const MEASURED_WITHIN: Duration = Duration::from_secs(30 * 60);

/// Starts the store that is a server, and measures it and the one on disk, so many times.
pub async fn run(paths: &Paths, progress: &Progress, runs: u32) -> Result<Study<Measured>> {
    if let Some(hindrance) = site::hindrance() {
        bail!("there can be no store here: {hindrance}");
    }
    let _lock = Lock::take(paths)?;
    site::prepare(paths, progress).await?;
    let program = program::compile(paths, progress, Measured::NAME).await?;
    let site = progress.step("start the store", Site::build_store(paths, site::PARTS)).await?;
    let all = Part::of_all((progress, runs), &[ALIKE], async |_| part(&site, &program).await);
    let measured = tokio::select! {
        measured = all => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    site.end().await?;
    Ok(Study { surroundings: Surroundings::look(&paths.tree, Vec::new()).await, parts: measured? })
}

async fn part(site: &Site, program: &Path) -> Result<Part<Measured>> {
    let mut command = Command::new(program);
    command.env("VIBETALK_TEST_MONGODB_URI", site.mongodb_uri());
    let server = [Member::Database, Member::Ferretdb].map(|member| site.daemon_of(member));
    let watched = server.map(|daemon| (Role::Store, Processes::Of(daemon)));
    program::measure(command, watched, MEASURED_WITHIN).await
}

impl Subject for Measured {
    const NAME: &'static str = "history";
    const METHOD: &'static str = table::METHOD;
    const CAPTION: &'static str = "Times of pages of history";

    fn text(study: &Study<Self>) -> String {
        format!("{}\n{}", table::tables(study), conclusion::conclusion(study))
    }

    /// How long pages of each kind took at most if most readers asked; below each, right after the store was opened.
    fn chart(study: &Study<Self>) -> String {
        let Some(readers) = study.readers().last().copied() else { return chart::bars(Self::NAME, &[]) };
        let rows = study.kinds().into_iter().flat_map(|kind| {
            let warm = study.figure((kind, readers), |row| row.warm.p99_ms);
            let cold = study.figure((kind, readers), |row| row.cold.p99_ms);
            [(kind.to_string(), warm), ("right after opening".to_owned(), cold)]
        });
        let rows: Vec<_> = rows.filter_map(|(label, figure)| Some((label, figure?))).collect();
        let title =
            format!("history: time in ms that 99 % of the pages took at most, {readers} readers at once");
        chart::bars(&title, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::study::Shown;

    #[test]
    fn the_page_has_the_tables_the_conclusion_and_the_chart() {
        let text = sample().section();
        for part in ["\n## history\n", "| store | channel, page |", "\n- **", "(benchmarks/history.svg)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_kind_of_page_has_a_bar_and_one_for_when_the_store_was_opened() {
        let svg = Measured::chart(&sample());
        assert_eq!(svg.matches("<rect x=").count(), 12);
        assert!(svg.contains("mongo: quiet, over a silence") && svg.contains("64 readers"), "{svg}");
    }
}

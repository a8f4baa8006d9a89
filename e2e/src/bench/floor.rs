//! What connections and deliveries cost a chat node on one core, beside what they cost at least.

mod measured;
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::process::Command;

use super::figure::Figure;
use super::study::{Part, Study, Subject};
use super::{chart, program};
use crate::load::{Surroundings, allow_files};
use crate::paths::Paths;
use crate::progress::Progress;

pub use measured::Crowd;
#[cfg(test)]
pub use measured::sample;

/// The bench that measures it.
const BENCH: &str = "connections";
/// How often it is run if nothing is said.
pub const RUNS: u32 = 3;
/// Connections of a crowd.
const CROWDS: [u32; 3] = [1_000, 5_000, 10_000];
/// The largest crowd takes a minute or two.
const MEASURED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Measures crowds of all sizes, so many times.
pub async fn run(paths: &Paths, progress: &Progress, runs: u32) -> Result<Study<Crowd>> {
    allow_files(CROWDS[CROWDS.len() - 1])?;
    let program = program::compile(paths, progress, BENCH).await?;
    let parts = Part::of_all((progress, runs), &CROWDS, async |size| part(&program, size).await).await?;
    Ok(Study { surroundings: Surroundings::look(&paths.tree, Vec::new()).await, parts })
}

async fn part(program: &Path, connections: u32) -> Result<Part<Crowd>> {
    let mut command = Command::new(program);
    command.env("VT_BENCH_CONNECTIONS", connections.to_string());
    program::measure(command, [], MEASURED_WITHIN).await
}

impl Subject for Crowd {
    const NAME: &'static str = "floor";
    const METHOD: &'static str = table::METHOD;
    const CAPTION: &'static str = "A message to all";
    const SIZE_OF: Option<&'static str> = Some("connections");

    fn size(&self) -> usize {
        self.connections
    }

    fn text(study: &Study<Self>) -> String {
        table::text(study)
    }

    fn chart(study: &Study<Self>) -> String {
        let rows = |size: usize| -> Vec<(String, Figure)> {
            let row = |label: &str, of: fn(&Crowd) -> f64| {
                Some((format!("{size}: {label}"), study.figure_at(size, of)?))
            };
            let all = [
                row("published to all", Crowd::published_ms),
                row("bare loop", |crowd| crowd.send_to_all_ms),
            ];
            all.into_iter().flatten().collect()
        };
        let rows: Vec<_> = study.sizes().into_iter().flat_map(rows).collect();
        chart::bars("floor: time in ms from a message's publish until all connections had it", &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::study::Shown;

    #[test]
    fn the_page_has_the_table_the_verdict_and_the_chart() {
        let text = sample().section();
        for part in ["\n## floor\n", "| measure | 1000 | 10000 | goal |", "\n- **", "(benchmarks/floor.svg)"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(Crowd::chart(&sample()).matches("<rect x=").count(), 4);
    }
}

//! Messages from a client of one chat node to a client of another one, beside what store and broker take alone.

mod table;
mod turn;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::process::Command;

use super::study::{ALIKE, Part, Study, Subject};
use super::{chart, program};
use crate::load::{Across, Surroundings};
use crate::paths::Paths;
use crate::progress::Progress;

pub use turn::Turn;
#[cfg(test)]
pub use turn::sample;
use turn::{Alone, Times};

/// The bench that measures store and broker alone.
const BENCH: &str = "alone";
/// How often it is run if nothing is said.
pub const RUNS: u32 = 3;
/// Store and broker take a little more than a minute.
const MEASURED_WITHIN: Duration = Duration::from_secs(10 * 60);

/// Measures all three in turn, so many times, on the same services.
pub async fn run(paths: &Paths, progress: &Progress, runs: u32) -> Result<Study<Turn>> {
    let program = program::compile(paths, progress, BENCH).await?;
    let across = Across::start((paths, progress)).await?;
    let turns = Part::of_all((progress, runs), &[ALIKE], async |_| turn(&across, &program, progress).await);
    let measured = tokio::select! {
        measured = turns => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    across.end().await?;
    Ok(Study { surroundings: Surroundings::look(&paths.tree, Vec::new()).await, parts: measured? })
}

async fn turn(across: &Across, program: &Path, progress: &Progress) -> Result<Part<Turn>> {
    let crossed = across.talk(progress).await?;
    let alone: Part<Alone> = progress.step("store and broker alone", alone(across, program)).await?;
    let last = crossed.last_reader;
    let end_to_end = Times { count: last.count, p50_ms: last.p50, p99_ms: last.p99 };
    let Alone { store, broker } = alone.measured;
    Ok(Part {
        measured: Turn { end_to_end, store, broker },
        foreign_percent: alone.foreign_percent.max(crossed.usage.foreign_percent),
        steal_percent: alone.steal_percent.max(crossed.usage.steal_percent),
    })
}

/// The same load on store and broker alone.
async fn alone(across: &Across, program: &Path) -> Result<Part<Alone>> {
    let (site, profile) = (across.site(), across.profile());
    let seconds = (profile.traffic() - profile.warm_up()).as_secs();
    let mut command = Command::new(program);
    command
        .env("VIBETALK_TEST_MONGODB_URI", site.mongodb_uri())
        .env("VT_TEST_RABBITMQ_CLUSTER", site.broker_uri(1))
        .env("VT_BENCH_SECONDS", seconds.to_string())
        .env("VT_BENCH_PER_SECOND", profile.direct.messages_per_second.to_string())
        .env("VT_BENCH_CHANNELS", profile.direct.pairs.to_string());
    program::measure(command, across.watched(), MEASURED_WITHIN).await
}

impl Subject for Turn {
    const NAME: &'static str = "two-nodes";
    const METHOD: &'static str = table::METHOD;
    const CAPTION: &'static str = "Times between two nodes";

    fn text(study: &Study<Self>) -> String {
        table::text(study)
    }

    fn chart(study: &Study<Self>) -> String {
        let rows = turn::ROWS.iter().flat_map(|(name, of)| {
            let p50 = study.figure_at(ALIKE, |turn| of(turn).p50_ms);
            let p99 = study.figure_at(ALIKE, |turn| of(turn).p99_ms);
            [("p50", p50), ("p99", p99)].map(|(part, figure)| Some((format!("{name} {part}"), figure?)))
        });
        let rows: Vec<_> = rows.flatten().collect();
        chart::bars("two-nodes: time in ms from when a message was due", &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::study::Shown;

    #[test]
    fn the_page_has_the_table_the_verdict_and_the_chart() {
        let text = sample().section();
        for part in ["\n## two-nodes\n", "| end to end |", "\n- **", "(benchmarks/two-nodes.svg)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(Turn::chart(&sample()).matches("<rect x=").count(), 6);
    }
}

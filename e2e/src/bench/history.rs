//! Pages of history out of a store that holds many messages.

mod conclusion;
mod measured;
mod table;

use std::time::Duration;

use anyhow::Result;

use super::study::{Study, Subject};
use super::{chart, store};
use crate::paths::Paths;
use crate::progress::Progress;

pub use measured::Measured;
#[cfg(test)]
pub use measured::sample;

/// How often it is run if nothing is said.
pub const RUNS: u32 = 3;
/// Both stores take some minutes; on a slow machine, more.
const MEASURED_WITHIN: Duration = Duration::from_secs(30 * 60);

/// Measures both stores, so many times.
pub async fn run(paths: &Paths, progress: &Progress, runs: u32) -> Result<Study<Measured>> {
    store::measure((paths, progress), runs, MEASURED_WITHIN).await
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

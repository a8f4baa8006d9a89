//! The numbers as Markdown.

use std::fmt::Write as _;

use super::measured::{Measured, Pages};
use crate::bench::study::Study;

/// How it was measured.
pub const METHOD: &str = "\
A run is `chat-node/benches/history`, one process that fills a store with messages of 200 bytes of text and then reads pages of
50: first the store `embedded` on disk, then the store `mongo` on FerretDB and PostgreSQL on the same machine, without brokers
and chat nodes. Buckets are an hour long. Four fifths of the messages are in four busy channels, in three buckets each; the others
in quiet channels of 200, each in a bucket of its own with 42 empty ones behind it, and 5,000 empty ones more in the middle.

- *newest*: the end of any such channel. *before one*, *around one*: before and around any of its messages. *over a silence*:
  before the message that ended the 5,000 empty buckets.
- *readers*: so many ask at the same time, each for its next page as soon as it has one, until there are 4,000 pages or three
  seconds are over. A time begins when a reader asks, and has its wait for the others in it.
- *warm*: the store has just been filled, and what earlier kinds have read is still in memory. *opened*: before each kind of
  page and number of readers it is closed, its file is dropped from the kernel's cache, and it is opened again; reading begins
  at once. The server of `mongo` goes on and keeps what it has in memory, only the connections to it are new.
- Every page is checked: those messages, in that order, at those positions and no others. One that is wrong fails the run.
";

struct Measure {
    name: &'static str,
    of: fn(&Pages) -> f64,
}

const MEASURES: [Measure; 3] = [
    Measure { name: "Pages a second", of: |pages| pages.pages_per_second },
    Measure { name: "Half of the times, in ms, at most (p50)", of: |pages| pages.p50_ms },
    Measure { name: "99 % of the times, in ms, at most (p99)", of: |pages| pages.p99_ms },
];

/// A table for each measure.
pub fn tables(study: &Study<Measured>) -> String {
    MEASURES.iter().map(|measure| table(study, measure)).collect::<Vec<_>>().join("\n")
}

/// A row for each kind of page, a column for each number of readers.
fn table(study: &Study<Measured>, Measure { name, of }: &Measure) -> String {
    let readers = study.readers();
    let heads =
        |state: &str| -> String { readers.iter().map(|count| format!(" {state}, {count} |")).collect() };
    let mut text = format!(
        "{name}, by the number of readers:\n\n| store | channel, page |{}{}\n| --- | --- |{}\n",
        heads("warm"),
        heads("opened"),
        " ---: |".repeat(2 * readers.len())
    );
    for kind in study.kinds() {
        let warm = readers.iter().map(|count| study.figure((kind, *count), |row| of(&row.warm)));
        let cold = readers.iter().map(|count| study.figure((kind, *count), |row| of(&row.cold)));
        let shown =
            warm.chain(cold).map(|figure| figure.map_or("–".to_owned(), |figure| figure.to_string()));
        let figures: String = shown.map(|figure| format!(" {figure} |")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} |{figures}", kind.store, kind.page());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::history::sample;

    #[test]
    fn every_kind_of_page_has_a_row_in_every_table() {
        let text = tables(&sample());
        assert_eq!(
            text.matches("| store | channel, page | warm, 1 | warm, 64 | opened, 1 | opened, 64 |").count(),
            3
        );
        for row in [
            "| embedded | busy, newest | 750 (500–1000) | 750 (500–1000) | 188 (125–250) | 188 (125–250) |\n",
            "| mongo | quiet, over a silence | 45.00 (30.00–60.00) |",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
        assert_eq!(text.matches("\n| mongo | quiet, over a silence |").count(), 3, "{text}");
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let mut study = sample();
        for part in &mut study.parts {
            part.measured.rows.retain(|row| row.readers == 1 || row.warm.p50_ms < 100.0);
        }
        assert!(tables(&study).contains(" | – |"), "{}", tables(&study));
    }
}

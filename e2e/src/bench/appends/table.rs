//! The numbers as Markdown.

use std::fmt::Write as _;

use super::{Appends, Row};
use crate::bench::study::Study;

/// How it was measured.
pub const METHOD: &str = "\
A run is `chat-node/benches/appends`: the logs of 1, 3 and 10 chat nodes in one process append messages of 200 bytes of text to
the same channel, each node the next ones as soon as it has the answer, for five seconds; one message at a time, and 64. The
store `embedded` is on disk; the nodes share it, as they cannot in operation. The store `mongo` is on FerretDB and PostgreSQL on
the same machine, with connections of its own for each node. A message is answered when it is on disk. A chat node in operation
has one append of a channel under way, and joins what waits meanwhile, up to 64.
";

/// A row for each store, number of nodes, and number of messages at a time.
pub fn text(study: &Study<Appends>) -> String {
    let mut text = String::from(
        "| store | at a time | nodes | messages/s | p50, ms | p99, ms |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for key @ (store, batch, nodes) in study.keys() {
        let shown =
            |of: fn(&Row) -> f64| study.figure(key, of).map_or("–".to_owned(), |figure| figure.to_string());
        let (rate, p50, p99) =
            (shown(|row| row.messages_per_second), shown(|row| row.p50_ms), shown(|row| row.p99_ms));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {store} | {batch} | {nodes} | {rate} | {p50} | {p99} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::appends::sample;

    #[test]
    fn every_store_has_a_row_for_each_number_of_nodes_and_messages() {
        let text = text(&sample());
        for row in [
            "| embedded | 1 | 1 | 150 (100–200) | 3.00 (2.00–4.00) | 6.75 (4.50–9.00) |\n",
            "| mongo | 64 | 10 | 9600 (6400–12800) |",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
        assert_eq!(text.lines().count(), 6);
    }
}

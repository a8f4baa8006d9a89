//! The numbers as Markdown, with the goal.

use std::fmt::Write as _;

use super::turn::{ROWS, Turn};
use crate::bench::figure::Figure;
use crate::bench::goal::{self, Goal};
use crate::bench::study::{ALIKE, Study};

/// How it was measured.
pub const METHOD: &str = "\
Three chat nodes on one RabbitMQ node and FerretDB, as the target `fleet` is. In a run three loads follow each other on the same
services, while nothing else is said there: each 30 s of 200 messages a second with 200 bytes of text, in 100 direct channels, on
an open schedule.

- *end to end*: 200 users at two of the nodes, the two of each channel at different ones; from when a message was due until both
  had it. All of it is checked as in every run of `cargo e2e load`.
- *store alone*: `chat-node/benches/alone` appends to the logs of the channels as two chat nodes do, until a message is stored.
- *broker alone*: it publishes by one chat node's bus, with confirms, until the bus of another one has the message.
- *beyond*: end to end without store and broker, in each run.
";

/// The table, and whether the goal is reached.
pub fn text(study: &Study<Turn>) -> String {
    let mut text =
        String::from("| part | messages | p50, ms | p99, ms | goal |\n| --- | ---: | ---: | ---: | --- |\n");
    for (name, of) in ROWS {
        let count: u64 = study.parts.iter().map(|part| of(&part.measured).count).sum();
        let p50 = study.figure_at(ALIKE, |turn| of(turn).p50_ms);
        let p99 = study.figure_at(ALIKE, |turn| of(turn).p99_ms);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {count} | {} | {} |  |", shown(p50), shown(p99));
    }
    let p50 = study.figure_at(ALIKE, |turn| turn.beyond(|times| times.p50_ms));
    let p99 = study.figure_at(ALIKE, |turn| turn.beyond(|times| times.p99_ms));
    let bound = goal::BEYOND_SERVICES_MS;
    let _ = writeln!(text, "| beyond |  | {} | {} | p99 {bound} |", shown(p50), shown(p99));
    let figures = p99.map(|figure| ("p99".to_owned(), bound, figure.median));
    let goal =
        Goal { name: "end to end beyond store and broker, ms", figures: figures.into_iter().collect() };
    format!("{text}\n{}", goal::verdict(&[goal]))
}

fn shown(figure: Option<Figure>) -> String {
    figure.map_or(String::new(), |figure| figure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::two_nodes::sample;

    #[test]
    fn what_is_beyond_store_and_broker_is_told_of_each_run_and_compared_with_the_goal() {
        let text = text(&sample());
        for part in [
            "| end to end | 12000 | 15.00 (10.00–20.00) | 30.00 (20.00–40.00) |  |\n",
            "| beyond |  | 4.50 (3.00–6.00) | 9.00 (6.00–12.00) | p99 ≤ 2 |\n",
            "- **end to end beyond store and broker, ms**: p99 not reached: 4.50 × (9.00, wanted ≤ 2).\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_goal_that_is_reached_is_told_so() {
        let mut study = sample();
        for part in &mut study.parts {
            part.measured.end_to_end.p99_ms = part.measured.store.p99_ms + part.measured.broker.p99_ms + 1.5;
        }
        assert!(text(&study).ends_with("Goals reached: 1 of 1.\n"));
    }
}

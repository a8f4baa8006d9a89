//! The numbers as Markdown.

use std::fmt::Write as _;

use super::study::{Cell, Key, Study};

/// How it was measured.
pub const METHOD: &str = "\
A run is `chat-node/benches/broker`, one process with three chat nodes' buses as they are in the product, on 4 partitions. They
have 3,000 users, all connected, a third on each, in 500 direct channels and 500 groups of ten; a message has 200 bytes of
text. Each bus is connected to a RabbitMQ node of its own, as far as there are three. All of it shares the cores of one
machine: more brokers have no more to give here, and what they cost is what counts.

- *p50, p99*: 200 messages a second on an open schedule, from when one was due until a chat node with a member of the channel
  had it.
- *copies*: deliveries to server queues for each message. *CPU*: the brokers' for each message, without what they use idle.
- *most*: messages a second that one chat node gets confirmed, with as many under way as the bus allows, and the brokers' CPU
  for each of these. By `User` a message is published once for each member, by the others once.
- *binds*: 10,000 users, or channels, of one more chat node.
- *deletion*: of the queue of that chat node with all its bindings; the longest way of other messages in the second before and
  meanwhile.
- *death*: one of three brokers is killed (SIGKILL), which has a chat node's connection and queue, while 200 messages a second
  are said in direct channels. *dark*: from the first message that was not everywhere within a second to the last; *longest*:
  the longest way of a message that came; *missed*: deliveries that never came, which chat nodes find in the store; *unnoticed*:
  those of them of which no chat node knew that it has to look.
";

struct Measure {
    name: &'static str,
    of: fn(&Cell) -> Option<f64>,
    /// Behind the point, if not as the size of the number asks for.
    digits: Option<usize>,
}

impl Measure {
    const fn size(name: &'static str, of: fn(&Cell) -> Option<f64>) -> Self {
        Self { name, of, digits: None }
    }

    const fn count(name: &'static str, of: fn(&Cell) -> Option<f64>) -> Self {
        Self { name, of, digits: Some(0) }
    }

    fn shown(&self, study: &Study, key: Key) -> Option<String> {
        let figure = study.figure(key, self.of)?;
        Some(self.digits.map_or_else(|| figure.to_string(), |digits| format!("{figure:.digits$}")))
    }
}

const TALK: [Measure; 8] = [
    Measure::size("direct p50, ms", |cell| Some(cell.direct.p50_ms)),
    Measure::size("direct p99, ms", |cell| Some(cell.direct.p99_ms)),
    Measure::size("direct copies", |cell| Some(cell.direct.copies)),
    Measure::size("direct CPU, µs", |cell| cell.direct.broker_us),
    Measure::size("group p50, ms", |cell| Some(cell.group.p50_ms)),
    Measure::size("group p99, ms", |cell| Some(cell.group.p99_ms)),
    Measure::size("group copies", |cell| Some(cell.group.copies)),
    Measure::size("group CPU, µs", |cell| cell.group.broker_us),
];

const CAPACITY: [Measure; 8] = [
    Measure::size("direct most/s", |cell| Some(cell.direct.most_per_second)),
    Measure::size("direct CPU at most, µs", |cell| cell.direct.most_broker_us),
    Measure::size("group most/s", |cell| Some(cell.group.most_per_second)),
    Measure::size("group CPU at most, µs", |cell| cell.group.most_broker_us),
    Measure::size("binds/s", |cell| Some(cell.binding?.per_second)),
    Measure::size("deletion, ms", |cell| Some(cell.deletion.took_ms)),
    Measure::size("longest before, ms", |cell| Some(cell.deletion.before_ms)),
    Measure::size("longest meanwhile, ms", |cell| Some(cell.deletion.longest_ms)),
];

const DEATH: [Measure; 4] = [
    Measure::size("dark, s", |cell| Some(cell.kill?.dark_s)),
    Measure::size("longest, ms", |cell| Some(cell.kill?.longest_ms)),
    Measure::count("missed", |cell| Some(cell.kill?.missed as f64)),
    Measure::count("unnoticed", |cell| Some(cell.kill?.unnoticed as f64)),
];

/// What ran.
pub fn versions(study: &Study) -> String {
    let version = study.parts.iter().find_map(|part| part.measured.version.clone()).unwrap_or_default();
    format!("RabbitMQ {version}; ")
}

/// The tables.
pub fn tables(study: &Study) -> String {
    let [talk, capacity, death] = [&TALK[..], &CAPACITY, &DEATH].map(|measures| table(study, measures));
    format!("{talk}\n{capacity}\n{death}\n{}\n", missed(study))
}

/// What was missed though nobody did any harm.
fn missed(study: &Study) -> String {
    let of = |cell: &Cell| cell.deletion.missed + cell.direct.missed + cell.group.missed;
    let missed = study.cells().filter(|(_, cell)| of(cell) > 0);
    let shown: Vec<String> = missed.map(|(key, cell)| format!("{} ({key})", of(cell))).collect();
    let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
    format!("Deliveries that were missed while all brokers lived: {shown}.")
}

/// One row for each combination that has any of these.
fn table(study: &Study, measures: &[Measure]) -> String {
    let mut text = String::from("| brokers | queue | routing |");
    for measure in measures {
        // Writing to a string cannot fail.
        let _ = write!(text, " {} |", measure.name);
    }
    let _ = writeln!(text, "\n| ---: | --- | --- |{}", " ---: |".repeat(measures.len()));
    for key in study.keys() {
        let shown: Vec<_> = measures.iter().map(|measure| measure.shown(study, key)).collect();
        if shown.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(text, "| {} | {:?} | {:?} |", key.brokers, key.queue, key.routing);
        for one in shown {
            let _ = write!(text, " {} |", one.as_deref().unwrap_or("–"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::broker::sample;

    #[test]
    fn every_combination_has_a_row_where_it_was_measured() {
        let text = tables(&sample());
        assert_eq!(text.matches("\n| 1 | Classic | User |").count(), 2, "{text}");
        assert_eq!(text.matches("\n| 3 | Quorum | Static |").count(), 3, "{text}");
        assert!(
            text.contains("| 1 | Classic | User | 1.00 | 2.00 | 2.00 | 200 | 1.00 | 2.00 | 10.00 | 1000 |"),
            "{text}"
        );
        assert!(
            text.contains("| 1 | Classic | Static | 10000 | 150 | 10000 | 150 | – | 9000 | 5.00 | 20.00 |"),
            "{text}"
        );
        assert!(text.contains("| 3 | Classic | Channel | 2.50 | 340 | 600 | 0 |"), "{text}");
    }

    #[test]
    fn deliveries_that_were_missed_are_told() {
        let mut study = sample();
        assert!(tables(&study).contains("while all brokers lived: none."));
        study.parts[0].measured.cells[2].group.missed = 7;
        assert!(tables(&study).contains("while all brokers lived: 7 (1 · Classic · Static)."));
    }
}

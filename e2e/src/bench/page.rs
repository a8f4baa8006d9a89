//! What came of the runs, as Markdown.

use std::fmt::Write as _;

use super::series::{MEASURES, Series};
use crate::load::Surroundings;

/// What every page begins with.
const MADE: &str =
    "# Benchmarks\n\nMade by `cargo e2e bench --publish` from the reports in `e2e/benchmarks`; ";
/// What is written by hand, if nothing is and if something is.
const BY_HAND: [&str; 2] =
    ["nothing here is written by hand.\n\n", "only the end is written by hand, in `limits.md` there.\n\n"];

const METHOD: &str = "\
But for `floor`, `two-nodes`, `appends`, `history` and `broker`, a run is `cargo e2e load PROFILE`: one process holds all connections
and follows a fixed schedule, whether or not earlier messages were answered. Times count from when a message was **due**, not from
when it could be sent. Every reader checks that nothing is lost, doubled, out of order or altered, and in the end all of it is
compared with the store; a run in which anything is wrong fails and is not shown, and one in which other processes or the
hypervisor took too much of the machine is void and repeated. There is no TLS and no compression. Numbers are the median of the
runs, with the least and the greatest.

The target `node` is one chat node with a store of its own, on disk; it has the first core for itself, the generator the rest.
`fleet` is three chat nodes on RabbitMQ and FerretDB, without Kubernetes. `cluster` is the Kubernetes of `cargo e2e up`: three
nodes, NGINX, RabbitMQ, FerretDB on PostgreSQL, metrics-server and all else of it on the same cores as the generator.

What they do not say: how a service behaves that is spread over several machines, on a network with latency and loss, or
behind TLS; and where a time is shorter than the generator needs to read all sockets, it is the generator's.
";

/// The page of these series, with the sections of what was measured otherwise and what was written by hand.
pub fn page(all: &[Series], others: &str, by_hand: Option<&str>) -> String {
    let [nothing, something] = BY_HAND;
    let mut text = format!("{MADE}{}{METHOD}", if by_hand.is_some() { something } else { nothing });
    for series in all.iter().filter(|series| !series.own.is_empty()) {
        section(&mut text, series);
    }
    text.push_str(others);
    if let Some(by_hand) = by_hand {
        text.push('\n');
        text.push_str(by_hand);
    }
    text
}

/// Where something was measured.
pub fn place(on: &Surroundings) -> String {
    let Surroundings { cores, processor, memory_mib, kernel, commit, compiler, .. } = on;
    format!("{cores} × {processor}, {memory_mib} MiB, Linux {kernel}; commit {commit}, {compiler}")
}

fn section(text: &mut String, series: &Series) {
    let first = &series.own[0];
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n## {}\n\n{}; {} users; target `{}`. {}; {} runs.\n\n",
        first.name,
        first.profile.description,
        first.profile.users,
        first.target,
        place(&first.surroundings),
        series.own.len()
    );
    text.push_str(&table(series));
    if first.traffic.is_some() {
        let _ = write!(text, "\n![Times of {0}](benchmarks/{0}.svg)\n", first.name);
    }
}

/// The measures of a series.
pub fn table(series: &Series) -> String {
    let compared = !series.other.is_empty();
    let mut text = String::from("| measure | this |");
    text.push_str(if compared {
        " other | this ÷ other, in pairs |\n| --- | ---: | ---: | ---: |\n"
    } else {
        "\n| --- | ---: |\n"
    });
    for measure in &MEASURES {
        let Some(own) = series.own(measure) else { continue };
        let _ = write!(text, "| {} | {own} |", measure.name);
        if compared {
            let shown = |figure: Option<super::figure::Figure>| {
                figure.map_or(String::new(), |figure| figure.to_string())
            };
            let _ = write!(text, " {} | {} |", shown(series.other(measure)), shown(series.ratio(measure)));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::sample;

    fn series() -> Series {
        let fast = sample();
        let mut slow = sample();
        if let Some(traffic) = &mut slow.traffic {
            traffic.ack.p50 *= 2.0;
        }
        Series { own: vec![fast.clone(), fast], other: vec![slow.clone(), slow] }
    }

    #[test]
    fn two_programs_are_compared_in_pairs() {
        let text = table(&series());
        assert!(text.contains("| ack p50, ms | 1.25 | 2.50 | 0.50 |"), "{text}");
        assert!(text.contains("| deliveries/s | 1000 | 1000 | 1.00 |"), "{text}");
    }

    #[test]
    fn one_program_has_one_column_and_its_chart() {
        let text = page(&[Series { other: Vec::new(), ..series() }], "", None);
        assert!(text.contains("| measure | this |\n") && text.contains("| ack p50, ms | 1.25 |\n"), "{text}");
        assert!(text.contains("![Times of fan-out](benchmarks/fan-out.svg)"), "{text}");
    }

    #[test]
    fn what_is_written_by_hand_is_the_end_and_the_page_says_so() {
        let text = page(&[], "\n## broker\n", Some("## Limits\n"));
        assert!(text.contains("only the end is written by hand, in `limits.md`"), "{text}");
        assert!(text.ends_with("\n## broker\n\n## Limits\n"), "{text}");
        assert!(page(&[], "", None).contains("nothing here is written by hand"));
    }
}

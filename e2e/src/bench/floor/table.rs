//! The numbers as Markdown, each with its goal beside it.

use std::fmt::Write as _;

use super::measured::Crowd;
use crate::bench::goal::{self, Bound, Goal, MANY};
use crate::bench::study::Study;

/// How it was measured.
pub const METHOD: &str = "\
A part of a run is `chat-node/benches/connections`: a stand-alone chat node on the first core, and its clients in another
process on the last. Each user signs in with a token and has five channels; a message has 200 bytes of text. While they connect
and while messages are delivered the clients never sleep, so that it costs nothing to wake them. The bare loop is a process on
the first core that does nothing but `send()` frames of the same length to as many clients of the same kind, in turn with the
node.

- *connects/s*: 64 connections at a time, from the connect to `ready`. *CPU*: the node's for each.
- *idle*: what the node's resident memory and the kernel's (slab, of the whole machine) have grown by for each connection.
- *paced*: each message is sent when everybody has the one before; the node's CPU for each delivery, all that a message costs
  included, and the bare loop's for each `send()`.
- *coalesced*: messages of eight users as fast as the node stores them.
- *to all*: the median time from when a message was sent until the last connection had it. *To two*: the same of a message in a
  direct channel, which is what it takes to be stored; without that, *published to all* is left. *Bare loop*: from its
  begin until the kernel had taken the last frame.
";

struct Measure {
    name: &'static str,
    of: fn(&Crowd) -> f64,
    /// What it shall be, by the number of connections.
    goal: fn(usize) -> Option<Bound>,
}

const MEASURES: [Measure; 14] = [
    wanted("connects/s", |crowd| crowd.connects_per_second, |_| Some(goal::CONNECTS)),
    known("connects, CPU, µs", |crowd| crowd.connect_us),
    wanted("idle, node, KiB", |crowd| crowd.resident_kib, |_| Some(goal::IDLE_KIB)),
    known("idle, kernel, KiB", |crowd| crowd.slab_kib),
    known("paced, CPU, µs", |crowd| crowd.paced_us),
    known("bare `send()`, CPU, µs", |crowd| crowd.send_us),
    wanted("paced ÷ bare", |crowd| crowd.paced_us / crowd.send_us, |_| Some(goal::PACED)),
    wanted("coalesced, million/s", |crowd| crowd.coalesced_per_second / 1e6, coalesced),
    known("coalesced, CPU, µs", |crowd| crowd.coalesced_us),
    known("to all, ms", |crowd| crowd.to_all_ms),
    known("to two, ms", |crowd| crowd.to_two_ms),
    known("published to all, ms", Crowd::published_ms),
    known("bare loop, ms", |crowd| crowd.send_to_all_ms),
    wanted("published to all ÷ bare loop", |crowd| crowd.published_ms() / crowd.send_to_all_ms, to_many),
];

const fn known(name: &'static str, of: fn(&Crowd) -> f64) -> Measure {
    Measure { name, of, goal: |_| None }
}

const fn wanted(name: &'static str, of: fn(&Crowd) -> f64, goal: fn(usize) -> Option<Bound>) -> Measure {
    Measure { name, of, goal }
}

fn coalesced(connections: usize) -> Option<Bound> {
    Some(if connections < MANY { goal::COALESCED } else { goal::COALESCED_TO_MANY })
}

fn to_many(connections: usize) -> Option<Bound> {
    (connections >= MANY).then_some(goal::TO_MANY)
}

/// The table, and what became of the goals.
pub fn text(study: &Study<Crowd>) -> String {
    let goals: Vec<Goal> = MEASURES.iter().filter_map(|measure| measure.goal_of(study)).collect();
    format!("{}\n{}", table(study), goal::verdict(&goals))
}

fn table(study: &Study<Crowd>) -> String {
    let sizes = study.sizes();
    let heads: String = sizes.iter().map(|size| format!(" {size} |")).collect();
    let mut text = format!("| measure |{heads} goal |\n| --- |{} --- |\n", " ---: |".repeat(sizes.len()));
    for measure in &MEASURES {
        let figures = sizes.iter().filter_map(|size| study.figure_at(*size, measure.of));
        let figures: String = figures.map(|figure| format!(" {figure} |")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} |{figures} {} |", measure.name, measure.wish(&sizes));
    }
    text
}

impl Measure {
    /// What it shall be: once, if it is the same everywhere.
    fn wish(&self, sizes: &[usize]) -> String {
        let mut bounds: Vec<(Bound, Vec<String>)> = Vec::new();
        for (size, bound) in sizes.iter().filter_map(|size| Some((size, (self.goal)(*size)?))) {
            match bounds.iter_mut().find(|(other, _)| *other == bound) {
                Some((_, places)) => places.push(size.to_string()),
                None => bounds.push((bound, vec![size.to_string()])),
            }
        }
        let shown = |(bound, places): &(Bound, Vec<String>)| match places.len() == sizes.len() {
            true => bound.to_string(),
            false => format!("{bound} at {}", places.join(", ")),
        };
        bounds.iter().map(shown).collect::<Vec<_>>().join("; ")
    }

    fn goal_of(&self, study: &Study<Crowd>) -> Option<Goal> {
        let figure = |size: usize| {
            let (bound, figure) = ((self.goal)(size)?, study.figure_at(size, self.of)?);
            Some((format!("at {size}"), bound, figure.median))
        };
        let figures: Vec<_> = study.sizes().into_iter().filter_map(figure).collect();
        (!figures.is_empty()).then_some(Goal { name: self.name, figures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::floor::sample;

    #[test]
    fn every_figure_has_its_goal_beside_it() {
        let text = table(&sample());
        for row in [
            "| connects/s | 6000 | 6000 | ≥ 5000 |\n",
            "| idle, kernel, KiB | 4.50 | 4.50 |  |\n",
            "| coalesced, million/s | 1.40 | 0.93 | ≥ 1.3 at 1000; ≥ 0.7 at 10000 |\n",
            "| published to all ÷ bare loop | 1.29 | 1.96 | ≤ 1.3 at 10000 |\n",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
    }

    #[test]
    fn what_is_not_reached_is_told_with_its_factor() {
        let text = text(&sample());
        for part in [
            "Goals reached: 3 of 5.\n\n",
            "- **paced ÷ bare**: at 1000 reached; at 10000 not reached: 1.45 × (1.67, wanted ≤ 1.15).\n",
            "- **published to all ÷ bare loop**: at 10000 not reached: 1.50 × (1.96, wanted ≤ 1.3).\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

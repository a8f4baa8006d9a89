//! What the numbers say, in words. All of it follows from the medians on the largest number of brokers, so that it
//! cannot contradict the tables.

use crds::{QueueType, RoutingMode};

use super::study::{Cell, Deletion, Key, Study, Talk};
use crate::bench::figure::Figure;

const ROUTINGS: [RoutingMode; 3] = [RoutingMode::User, RoutingMode::Channel, RoutingMode::Static];

type Of = fn(&Cell) -> Option<f64>;
type Channels = (&'static str, fn(&Cell) -> &Talk);

const CHANNELS: [Channels; 2] =
    [("direct channels", |cell| &cell.direct), ("groups of ten", |cell| &cell.group)];

/// The conclusion, as a list.
pub fn conclusion(study: &Study) -> String {
    let Some(brokers) = study.keys().iter().map(|key| key.brokers).max() else { return String::new() };
    let view = View { study, brokers };
    let lines = [view.queues(), view.deaths(), view.bindings(), view.deletions()];
    let lines =
        lines.into_iter().flatten().chain(CHANNELS.iter().filter_map(|channels| view.routings(channels)));
    let all: Vec<String> = lines.map(|line| format!("- {line}\n")).collect();
    format!("What follows, by the rows with the most brokers ({brokers}):\n\n{}", all.concat())
}

struct View<'a> {
    study: &'a Study,
    brokers: u8,
}

impl View<'_> {
    fn median(
        &self,
        (queue, routing): (QueueType, RoutingMode),
        of: impl Fn(&Cell) -> Option<f64>,
    ) -> Option<f64> {
        Some(self.study.figure(Key { brokers: self.brokers, queue, routing }, of)?.median)
    }

    /// By how much quorum queues differ: the median over all routings.
    fn quorum_to_classic(&self, of: Of) -> Option<f64> {
        let ratio = |routing| {
            let of = |queue| self.median((queue, routing), of);
            of(QueueType::Classic)
                .filter(|classic| *classic > 0.0)
                .zip(of(QueueType::Quorum))
                .map(|(c, q)| q / c)
        };
        Some(Figure::of(ROUTINGS.into_iter().filter_map(ratio))?.median)
    }

    fn queues(&self) -> Option<String> {
        let cpu = self.quorum_to_classic(|cell| cell.group.most_broker_us)?;
        let p99 = self.quorum_to_classic(|cell| Some(cell.group.p99_ms))?;
        let most = self.quorum_to_classic(|cell| Some(cell.group.most_per_second))?;
        let dearer = [cpu > 1.0, p99 > 1.0, most < 1.0].iter().filter(|worse| **worse).count();
        let verdict = match dearer {
            3 => "they are worse in all three",
            0 => "they are better in all three",
            _ => "neither is better in all three",
        };
        let default = QueueType::default();
        Some(format!(
            "**Queues.** In groups of ten `Quorum` queues take {cpu:.1} times the brokers' CPU of `Classic` ones, {p99:.1} times \
             their p99, and a chat node gets {most:.2} times as many messages through: {verdict}, and `{default:?}` is the default."
        ))
    }

    /// What the death of a broker costs with each type of queue, by the worst routing.
    fn deaths(&self) -> Option<String> {
        let worst = |queue, of: Of| {
            ROUTINGS.into_iter().filter_map(|routing| self.median((queue, routing), of)).reduce(f64::max)
        };
        let part = |queue| {
            let missed = worst(queue, |cell| Some(cell.kill?.missed as f64))?;
            let dark = worst(queue, |cell| Some(cell.kill?.dark_s))?;
            Some(format!("with `{queue:?}` up to {missed:.0} deliveries in up to {dark:.1} s"))
        };
        let unnoticed = |queue| worst(queue, |cell| Some(cell.kill?.unnoticed as f64));
        let known = match unnoticed(QueueType::Classic)? + unnoticed(QueueType::Quorum)? {
            0.0 => "chat nodes knew of every one, and find it in the store".to_owned(),
            unnoticed => format!("of {unnoticed:.0} nobody knew"),
        };
        let (classic, quorum) = (part(QueueType::Classic)?, part(QueueType::Quorum)?);
        Some(format!("**Death of a broker.** It costs {classic}, {quorum}: {known}."))
    }

    fn bindings(&self) -> Option<String> {
        let seconds = |routing| {
            let of = |cell: &Cell| cell.binding.map(|binding| f64::from(binding.count) / binding.per_second);
            self.median((QueueType::default(), routing), of)
        };
        Some(format!(
            "**Binding.** A chat node with 10,000 users is bound after {:.1} s by `User`, one with 10,000 channels after {:.1} s by \
             `Channel`; `Static` binds nothing.",
            seconds(RoutingMode::User)?,
            seconds(RoutingMode::Channel)?
        ))
    }

    /// The worst of what was deleted with all its bindings.
    fn deletions(&self) -> Option<String> {
        let worst = |of: fn(&Deletion) -> f64| {
            let of = move |cell: &Cell| cell.binding.map(|_| of(&cell.deletion));
            let keys = self.study.keys().into_iter().filter(|key| key.brokers == self.brokers);
            keys.filter_map(|key| Some(self.study.figure(key, of)?.median)).reduce(f64::max)
        };
        Some(format!(
            "**Deletion.** Deleting a queue with 10,000 bindings takes up to {:.1} s, and no other message took longer than {:.0} ms \
             meanwhile ({:.0} ms before it).",
            worst(|deletion| deletion.took_ms)? / 1e3,
            worst(|deletion| deletion.longest_ms)?,
            worst(|deletion| deletion.before_ms)?
        ))
    }

    /// Which routing costs the brokers least, and how the default compares.
    fn routings(&self, (name, talk): &Channels) -> Option<String> {
        let cost = |routing| self.median((QueueType::default(), routing), |cell| talk(cell).most_broker_us);
        let copies = |routing| self.median((QueueType::default(), routing), |cell| Some(talk(cell).copies));
        let mut costs: Vec<(RoutingMode, f64, f64)> = ROUTINGS
            .into_iter()
            .filter_map(|routing| Some((routing, cost(routing)?, copies(routing)?)))
            .collect();
        costs.sort_by(|one, other| one.1.total_cmp(&other.1));
        let shown: Vec<String> = costs
            .iter()
            .map(|(routing, cost, copies)| format!("`{routing:?}` {cost:.0} µs for {copies:.1} copies"))
            .collect();
        let (least, own) = (costs.first()?, costs.iter().find(|one| one.0 == RoutingMode::default())?);
        let verdict = if least.0 == own.0 {
            format!("the default, `{:?}`, costs the brokers least", own.0)
        } else {
            format!(
                "the default, `{:?}`, costs {:.1} times as much as `{:?}`",
                own.0,
                own.1 / least.1,
                least.0
            )
        };
        Some(format!(
            "**Routing in {name}.** With as many as get through, a message costs {}: {verdict}.",
            shown.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::broker::sample;

    #[test]
    fn the_words_are_those_of_the_numbers() {
        let text = conclusion(&sample());
        for part in [
            "with the most brokers (3)",
            "take 2.0 times the brokers' CPU of `Classic` ones, 2.0 times their p99",
            "0.50 times as many messages through: they are worse in all three, and `Classic` is the default",
            "It costs with `Classic` up to 600 deliveries in up to 2.5 s, with `Quorum` up to 0 deliveries",
            "bound after 6.0 s by `User`",
            "takes up to 0.4 s, and no other message took longer than 20 ms meanwhile (5 ms before it)",
            "**Routing in direct channels.** With as many as get through, a message costs `Channel` 225 µs for 1.5 copies, `User` 300 µs",
            "the default, `Channel`, costs the brokers least",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn other_numbers_have_other_words() {
        let mut study = sample();
        for part in &mut study.parts {
            for cell in &mut part.measured.cells {
                if cell.routing == RoutingMode::Static {
                    cell.direct.most_broker_us = Some(1.0);
                }
                if let Some(kill) = cell.kill.as_mut().filter(|_| cell.queue == QueueType::Quorum) {
                    kill.unnoticed = 2;
                }
            }
        }
        let text = conclusion(&study);
        assert!(text.contains("the default, `Channel`, costs 225.0 times as much as `Static`"), "{text}");
        assert!(text.contains("of 2 nobody knew"), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_not_spoken_of() {
        let mut study = sample();
        study.parts.truncate(1);
        let text = conclusion(&study);
        assert!(text.contains("brokers (1)") && !text.contains("Death"), "{text}");
    }
}

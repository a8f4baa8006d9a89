//! What came of a run, for programs (JSON) and for people (a Markdown table).

mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cast::Talk;
use super::generator::{Counts, Outcome};
use super::history::Compared;
use super::meter::{Role, Usage};
use super::oracle::Verdict;
use super::profile::Profile;
use super::statistics::{Quantiles, Times, median};
use super::surroundings::Surroundings;

/// Beyond this part of the machine, others got in the way; in percent.
const FOREIGN_MAX: f64 = 10.0;
/// Beyond this part the machine was not there; in percent.
const STEAL_MAX: f64 = 5.0;
/// A generator that is later than this with 1 % of what is due may not keep up; in ms.
const LATENESS_MAX: f64 = 50.0;
/// As times count from when something was due, its lateness is in them: of less than this part it may be.
const LATENESS_PART_MAX: f64 = 0.1;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// The profile's name.
    pub name: String,
    /// What it was let loose on.
    pub target: String,
    /// When it began (RFC 3339).
    pub began: String,
    /// What happened.
    pub profile: Profile,
    /// The machine and the versions.
    pub surroundings: Surroundings,
    /// What must not happen.
    pub verdict: Verdict,
    /// Why the numbers say nothing; none if they do.
    pub void: Vec<String>,
    /// How users came.
    pub connecting: Connecting,
    /// What was measured then; absent if nothing was to be said.
    pub traffic: Option<Traffic>,
    /// How long those took to be back who came back.
    pub come_back: Quantiles,
    /// Counts of all, the warm-up included.
    pub counts: Counts,
    /// What was compared with the store.
    pub compared: Compared,
}

/// How users came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connecting {
    /// Until all were signed in, in s.
    pub seconds: f64,
    /// Users a second.
    pub per_second: f64,
    /// From when a connection was due until the user was signed in.
    pub sign_in: Quantiles,
    /// What the servers' resident memory grew by, for each user, in KiB; absent if they are elsewhere.
    pub server_kib_per_user: Option<f64>,
    /// The servers' time of cores, for each user, in µs.
    pub server_us_per_user: Option<f64>,
    /// The generator's memory for each user, in KiB.
    pub generator_kib_per_user: f64,
    /// What processes used meanwhile.
    pub usage: Usage,
}

/// What was measured from the end of the warm-up on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Traffic {
    /// The part of the schedule, in s.
    pub seconds: f64,
    /// Messages a second.
    pub sends_per_second: f64,
    /// Deliveries a second.
    pub deliveries_per_second: f64,
    /// From when a message was due until its ack.
    pub ack: Quantiles,
    /// From when a message was due until a reader had it.
    pub delivery: Quantiles,
    /// The same for each kind of talk.
    #[serde(default)]
    pub talk: BTreeMap<Talk, Quantiles>,
    /// The same in the median second; absent in a run of less than one.
    #[serde(default)]
    pub median_second: Option<MedianSecond>,
    /// From when a message was due until its last reader had it.
    pub last_reader: Quantiles,
    /// How late the generator was with what was due.
    pub lateness: Quantiles,
    /// The servers' time of cores for each delivery, in µs.
    pub server_us_per_delivery: Option<f64>,
    /// What processes used, until all was quiet.
    pub usage: Usage,
}

/// What times a second had, of all seconds of a run: the middle one of each. What a fault or a move costs for some seconds
/// does not show in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MedianSecond {
    /// Of the times that half of a second's deliveries stayed below, in ms.
    pub p50: f64,
    /// Of those that 99 % did.
    pub p99: f64,
}

/// What a report is about.
#[derive(Clone, Debug)]
pub struct About {
    /// The profile's name.
    pub name: String,
    /// What it was let loose on.
    pub target: String,
    /// When it began.
    pub began: String,
    /// What happened.
    pub profile: Profile,
    /// The machine and the versions.
    pub surroundings: Surroundings,
}

impl Report {
    /// Sums a run up.
    pub fn new(about: About, (outcome, compared): (Outcome, Compared)) -> Self {
        let connecting = connecting(&about.profile, &outcome);
        let traffic = traffic(&outcome);
        let About { name, target, began, profile, surroundings } = about;
        let of = |usage: &Usage| (usage.foreign_percent, usage.steal_percent);
        let mut void = troubles("while users connected", of(&connecting.usage));
        if let Some(traffic) = &traffic {
            void.extend(troubles("while messages were sent", of(&traffic.usage)));
            void.extend(lateness(traffic));
        }
        Self {
            name,
            target,
            began,
            profile,
            surroundings,
            verdict: outcome.oracle.verdict,
            void,
            connecting,
            traffic,
            come_back: outcome.tally.clocks.come_back.quantiles(),
            counts: outcome.tally.counts,
            compared,
        }
    }

    /// Whether nothing happened that must not.
    pub fn is_clean(&self) -> bool {
        self.verdict.is_clean()
    }
}

/// What makes the numbers of a while worthless: others used too much of the machine, or it was not there, in percent.
pub fn troubles(when: &str, (foreign_percent, steal_percent): (f64, f64)) -> Vec<String> {
    let mut troubles = Vec::new();
    if foreign_percent > FOREIGN_MAX {
        troubles.push(format!("other processes used {foreign_percent:.0} % of the machine {when}"));
    }
    if steal_percent > STEAL_MAX {
        troubles.push(format!("the machine did not get {steal_percent:.0} % of its time {when}"));
    }
    troubles
}

/// What makes times worthless that are the generator's own.
fn lateness(traffic: &Traffic) -> Option<String> {
    let late = traffic.lateness.p99;
    (late > LATENESS_MAX && late > traffic.delivery.p99 * LATENESS_PART_MAX)
        .then(|| format!("the generator could not keep up: p99 {late:.0} ms late"))
}

fn connecting(profile: &Profile, outcome: &Outcome) -> Connecting {
    let users = f64::from(profile.users);
    let usage = outcome.connecting.clone();
    let grown = |role: Role| {
        let usage = usage.roles.get(&role)?;
        Some((usage.resident_kib as f64 - usage.resident_before_kib as f64) / users)
    };
    Connecting {
        seconds: outcome.connected_s,
        per_second: users / outcome.connected_s,
        sign_in: outcome.tally.clocks.sign_in.quantiles(),
        server_kib_per_user: grown(Role::Server),
        server_us_per_user: usage.roles.get(&Role::Server).map(|usage| usage.cpu_s * 1e6 / users),
        generator_kib_per_user: grown(Role::Generator).unwrap_or(0.0),
        usage,
    }
}

fn median_second(seconds: &[(f64, f64)]) -> Option<MedianSecond> {
    let p50 = median(seconds.iter().map(|(p50, _)| *p50))?;
    let p99 = median(seconds.iter().map(|(_, p99)| *p99))?;
    Some(MedianSecond { p50, p99 })
}

fn traffic(outcome: &Outcome) -> Option<Traffic> {
    let measured = outcome.measured.as_ref()?;
    let (counts, clocks) = (&outcome.tally.counts, &outcome.tally.clocks);
    let deliveries = (counts.deliveries - measured.before.deliveries) as f64;
    let sends = (counts.sends - measured.before.sends) as f64;
    let server = measured.usage.roles.get(&Role::Server).filter(|_| deliveries > 0.0);
    let mut last_reader = Times::default();
    let timed = outcome.oracle.ledger.all().map(|(_, sent)| sent);
    for sent in timed.filter(|sent| outcome.tally.measures(sent.due) && sent.last_arrival > sent.due) {
        last_reader.note(sent.last_arrival - sent.due);
    }
    Some(Traffic {
        seconds: measured.scheduled_s,
        sends_per_second: sends / measured.scheduled_s,
        deliveries_per_second: deliveries / measured.scheduled_s,
        ack: clocks.ack.quantiles(),
        delivery: clocks.delivery.quantiles(),
        talk: clocks.talk.iter().map(|(talk, times)| (*talk, times.quantiles())).collect(),
        median_second: median_second(&clocks.seconds),
        last_reader: last_reader.quantiles(),
        lateness: clocks.lateness.quantiles(),
        server_us_per_delivery: server.map(|server| server.cpu_s * 1e6 / deliveries),
        usage: measured.usage.clone(),
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::sample;

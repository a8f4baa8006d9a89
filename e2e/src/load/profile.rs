//! What a run does: how many users, in which channels, and what they do how often.

mod check;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::offset::Offset;

/// How long a fault lasts if the profile does not say.
const FAULT_LASTS: Duration = Duration::from_secs(5);

/// A workload, as it stands in a file of `e2e/profiles/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Profile {
    /// One line for people.
    pub description: String,
    /// Users, each with one connection.
    pub users: u32,
    /// How they come.
    #[serde(default)]
    pub connect: Connect,
    /// What is said in the official channel, which everyone reads.
    #[serde(default)]
    pub official: Talk,
    /// Groups, and what is said in their channels.
    #[serde(default)]
    pub groups: Groups,
    /// Direct channels, and what is said in them.
    #[serde(default)]
    pub direct: Direct,
    /// "Is writing" in groups and direct channels, a second.
    #[serde(default)]
    pub typing_per_second: f64,
    /// How much of the connections breaks in a minute; each comes back with its cursors.
    #[serde(default)]
    pub reconnect_percent_per_minute: f64,
    /// Users who stop reading.
    #[serde(default)]
    pub slow: Slow,
    /// What happens once, at a time of the run.
    #[serde(default)]
    pub events: Vec<Event>,
    /// What of the example's `spec` is otherwise on the local cluster while this runs.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub cluster: serde_json::Map<String, serde_json::Value>,
    /// Length of a message, in bytes.
    #[serde(default = "Profile::usual_content")]
    pub content_bytes: u16,
    /// How sends follow each other.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Traffic before anything is measured.
    #[serde(default)]
    pub warm_up: Option<crds::Duration>,
    /// Traffic that is measured; none at all if absent.
    #[serde(default)]
    pub duration: Option<crds::Duration>,
    /// Decides who is where and who speaks when.
    #[serde(default)]
    pub seed: u64,
}

/// How users come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Connect {
    /// New connections a second; as fast as they can be made if absent.
    pub per_second: Option<f64>,
    /// Connections that are being made at the same time, at most.
    pub at_once: u32,
}

/// What is said in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Talk {
    /// Messages a second.
    pub messages_per_second: f64,
}

/// Groups of the same size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Groups {
    /// How many.
    pub count: u32,
    /// Members of each.
    pub size: u32,
    /// Channels of each.
    pub channels: u32,
    /// Messages a second, in all of them together.
    pub messages_per_second: f64,
}

/// Channels of two users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Direct {
    /// How many.
    pub pairs: u32,
    /// Messages a second, in all of them together.
    pub messages_per_second: f64,
}

/// Users who stop reading after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Slow {
    /// How many of all.
    pub percent: f64,
    /// For how long.
    pub pause: crds::Duration,
}

/// How sends follow each other. Either way they are due whether or not earlier ones were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Even,
    /// Independently of each other, as people's are.
    Poisson,
}

/// What happens once: connections break, or what serves them is harmed or changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Event {
    /// When, counted from the first message.
    pub at: crds::Duration,
    /// This much of the connections breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_percent: Option<f64>,
    /// This is done to the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// How long the fault or the step lasts; 5 s if absent.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<crds::Duration>,
    /// The clock of a chat node steps by so much, and back after a while, but not before the node has noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_clock: Option<Offset>,
    /// The cluster's exchanges become so many partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u16>,
}

/// What is done to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is harmed, for so long.
    Harm(Fault, Duration),
    /// The clock of a chat node is off, for so long.
    StepClock(Offset, Duration),
    /// Its exchanges become so many partitions.
    Repartition(u16),
}

/// What can be done to a target that is a fleet or the local cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// A chat node is killed, and started after a while.
    KillNode,
    /// Every chat node is told to end, and replaced when it has, one after the other.
    ReplaceNodes,
    /// The broker is killed, and started after a while.
    KillBroker,
    /// The processes of the first broker are stopped in the middle of whatever they do (SIGSTOP), and go on after a while.
    HangBroker,
    /// The broker takes no messages for a while.
    BlockBroker,
    /// The store is killed, and started after a while.
    KillStore,
    /// FerretDB is stopped in the middle of whatever it does (SIGSTOP), and goes on after a while.
    HangStore,
}

impl Event {
    fn deed(&self) -> Option<Deed> {
        let lasts = self.lasts.map_or(FAULT_LASTS, crds::Duration::as_std);
        let harm = self.fault.map(|fault| Deed::Harm(fault, lasts));
        let step = self.step_clock.map(|by| Deed::StepClock(by, lasts));
        harm.or(step).or(self.partitions.map(Deed::Repartition))
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Harm(fault, _) => write!(f, "{fault:?}"),
            Self::StepClock(by, _) => write!(f, "step a clock by {by}"),
            Self::Repartition(partitions) => write!(f, "make it {partitions} partitions"),
        }
    }
}

impl Default for Connect {
    fn default() -> Self {
        Self { per_second: None, at_once: 256 }
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self { count: 0, size: 2, channels: 1, messages_per_second: 0.0 }
    }
}

impl Default for Slow {
    fn default() -> Self {
        Self { percent: 0.0, pause: crds::Duration::seconds(20) }
    }
}

impl Profile {
    /// The profile in this text.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let profile: Self = serde_path_to_error::deserialize(serde_yaml::Deserializer::from_str(text))
            .map_err(|error| anyhow::anyhow!("`{}`: {}", error.path(), error.inner()))?;
        profile.check()?;
        Ok(profile)
    }

    /// The profile of this name in the work tree, or in this file.
    ///
    /// # Errors
    /// Lists the names if there is none of this one.
    pub fn find(directory: &Path, name: &str) -> Result<Self> {
        let own = directory.join(format!("{name}.yaml"));
        let file = if own.is_file() { own } else { PathBuf::from(name) };
        if !file.is_file() {
            let known: Vec<String> = names(directory)?;
            bail!("there is no profile `{name}`: name a file, or one of {}", known.join(", "));
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("the profile {} is wrong", file.display()))
    }

    /// Traffic before anything is measured.
    pub fn warm_up(&self) -> Duration {
        self.warm_up.map_or(Duration::ZERO, crds::Duration::as_std)
    }

    /// What is done to the target, in order of time.
    pub fn deeds(&self) -> Vec<(Duration, Deed)> {
        let deed = |event: &Event| Some((event.at.as_std(), event.deed()?));
        let mut deeds: Vec<_> = self.events.iter().filter_map(deed).collect();
        deeds.sort_by_key(|(at, _)| *at);
        deeds
    }

    /// All traffic, that of the warm-up included.
    pub fn traffic(&self) -> Duration {
        self.duration.map_or(Duration::ZERO, |duration| self.warm_up() + duration.as_std())
    }

    fn usual_content() -> u16 {
        200
    }
}

/// The profiles of the work tree.
pub fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let yaml = files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> =
        yaml.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;

//! All that is measured otherwise than by load profiles.

use std::path::Path;

use anyhow::{Result, bail};

use super::study::{File, Shown, Study, Subject};
use super::{appends, broker, floor, history, two_nodes};
use crate::paths::Paths;
use crate::progress::Progress;

/// Their names among the profiles, in the order of the page.
pub const NAMES: [&str; 5] = [
    floor::Crowd::NAME,
    two_nodes::Turn::NAME,
    appends::Appends::NAME,
    history::Measured::NAME,
    broker::Measured::NAME,
];
/// What this program itself takes part in.
pub const OWN: &str = two_nodes::Turn::NAME;

/// Each, if it was measured.
#[derive(Debug, Default)]
pub struct Studies {
    /// What connections and deliveries cost a chat node.
    pub floor: Option<Study<floor::Crowd>>,
    /// Messages between two chat nodes, beside store and broker.
    pub two_nodes: Option<Study<two_nodes::Turn>>,
    /// Messages that one channel takes.
    pub appends: Option<Study<appends::Appends>>,
    /// Pages of history out of a store of many messages.
    pub history: Option<Study<history::Measured>>,
    /// RabbitMQ under the chat nodes' bus.
    pub broker: Option<broker::Study>,
}

impl Studies {
    /// Measures one of them, so many times or as often as usual; what came of it.
    pub async fn measure(
        &mut self,
        name: &str,
        (paths, progress): (&Paths, &Progress),
        runs: Option<u32>,
    ) -> Result<String> {
        match name {
            floor::Crowd::NAME => {
                let study = floor::run(paths, progress, runs.unwrap_or(floor::RUNS)).await?;
                Ok(Subject::text(self.floor.insert(study)))
            }
            two_nodes::Turn::NAME => {
                let study = two_nodes::run(paths, progress, runs.unwrap_or(two_nodes::RUNS)).await?;
                Ok(Subject::text(self.two_nodes.insert(study)))
            }
            appends::Appends::NAME => {
                let study = appends::run(paths, progress, runs.unwrap_or(appends::RUNS)).await?;
                Ok(Subject::text(self.appends.insert(study)))
            }
            history::Measured::NAME => {
                let study = history::run(paths, progress, runs.unwrap_or(history::RUNS)).await?;
                Ok(Subject::text(self.history.insert(study)))
            }
            broker::Measured::NAME => {
                let study = broker::run(paths, progress, runs.unwrap_or(broker::RUNS)).await?;
                Ok(Subject::text(self.broker.insert(study)))
            }
            _ => bail!("nothing is known of `{name}`"),
        }
    }

    /// Those that were published last.
    pub fn published(directory: &Path) -> Result<Self> {
        Ok(Self {
            floor: Study::published(directory)?,
            two_nodes: Study::published(directory)?,
            appends: Study::published(directory)?,
            history: Study::published(directory)?,
            broker: Study::published(directory)?,
        })
    }

    /// The files that are published of them.
    pub fn files(&self) -> Result<Vec<File>> {
        let files: Vec<[File; 2]> = self.all().map(Shown::files).collect::<Result<_>>()?;
        Ok(files.into_iter().flatten().collect())
    }

    /// Their parts of the page.
    pub fn sections(&self) -> String {
        self.all().map(Shown::section).collect()
    }

    /// Those that were measured, in the order of the page.
    fn all(&self) -> impl Iterator<Item = &dyn Shown> {
        fn shown<M: Subject>(study: Option<&Study<M>>) -> Option<&dyn Shown> {
            study.map(|study| study as &dyn Shown)
        }
        let all = [
            shown(self.floor.as_ref()),
            shown(self.two_nodes.as_ref()),
            shown(self.appends.as_ref()),
            shown(self.history.as_ref()),
            shown(self.broker.as_ref()),
        ];
        all.into_iter().flatten()
    }
}

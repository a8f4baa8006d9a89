//! Benches of the stores: the one on disk, and the one that is a server, which is started for them.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::program;
use super::study::{ALIKE, Part, Study, Subject};
use crate::load::{Processes, Role, Surroundings};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::site::{self, Member, Site};

/// Where messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Store {
    /// On disk, in the process that reads and writes them.
    Embedded,
    /// On a server.
    Mongo,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Mongo => "mongo",
        })
    }
}

/// Runs the bench of the subject's name, so many times, each within a time.
pub async fn measure<M: Subject>(
    (paths, progress): (&Paths, &Progress),
    runs: u32,
    within: Duration,
) -> Result<Study<M>> {
    if let Some(hindrance) = site::hindrance() {
        bail!("there can be no store here: {hindrance}");
    }
    let _lock = Lock::take(paths)?;
    site::prepare(paths, progress).await?;
    let program = program::compile(paths, progress, M::NAME).await?;
    let site = progress.step("start the store", Site::build_store(paths, site::PARTS)).await?;
    let all = Part::of_all((progress, runs), &[ALIKE], async |_| part(&site, &program, within).await);
    let measured = tokio::select! {
        measured = all => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    site.end().await?;
    Ok(Study { surroundings: Surroundings::look(&paths.tree, Vec::new()).await, parts: measured? })
}

async fn part<M: Subject>(site: &Site, program: &Path, within: Duration) -> Result<Part<M>> {
    let mut command = Command::new(program);
    command.env("VIBETALK_TEST_MONGODB_URI", site.mongodb_uri());
    let server = [Member::Database, Member::Ferretdb].map(|member| site.daemon_of(member));
    let watched = server.map(|daemon| (Role::Store, Processes::Of(daemon)));
    program::measure(command, watched, within).await
}

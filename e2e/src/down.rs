//! Ends everything and puts the machine back as it was.

use std::fs;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;

use crate::cgroup;
use crate::host;
use crate::lock::Lock;
use crate::network::{self, MOST_NODES};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::snapshot::Snapshot;

/// Whether `down` compares the machine with how it was before `up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It does, and fails if anything differs.
    Compare,
    /// It does not.
    Skip,
}

/// Ends the cluster, whatever is left of it, and removes its state.
pub async fn run(paths: &Paths, progress: &Progress, check: Check) -> Result<()> {
    let _lock = Lock::take(paths)?;
    let before = Snapshot::kept(paths)?;
    clear(paths, progress).await?;
    if paths.state.exists() {
        fs::remove_dir_all(&paths.state)
            .with_context(|| format!("cannot remove {}", paths.state.display()))?;
    }
    match (check, before) {
        (Check::Skip, _) => Ok(()),
        (Check::Compare, None) => bail!("nothing to compare with: no `up` has run since the last `down`"),
        (Check::Compare, Some(before)) => compare((paths, progress), &before).await,
    }
}

/// Removes every trace of a cluster but the record of how the machine was before. Works from names that are always the same, so it
/// needs no record of what had been done when `up` was cut short.
pub async fn clear(paths: &Paths, progress: &Progress) -> Result<()> {
    let hierarchies = cgroup::hierarchies()?;
    let parts = cgroup::parts(&hierarchies);
    if !parts.is_empty() {
        let name = format!("end {}", parts.join(", "));
        let end = try_join_all(parts.iter().map(|part| cgroup::end(&hierarchies, part)));
        progress.step(&name, end).await?;
    }
    cgroup::remove_root(&hierarchies);
    for node in 1..=MOST_NODES {
        network::disconnect(node).await?;
    }
    network::remove_bridge().await?;
    host::restore(paths)?;
    let Ok(entries) = fs::read_dir(&paths.state) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path != Snapshot::file(paths) {
            remove(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

async fn compare((paths, progress): (&Paths, &Progress), before: &Snapshot) -> Result<()> {
    let differences = before.differences(&Snapshot::take(paths).await?);
    if differences.is_empty() {
        progress.say("the machine is as it was before `up`");
        return Ok(());
    }
    bail!("the machine is not as it was before `up`:\n  {}", differences.join("\n  "))
}

fn remove(path: &std::path::Path) -> std::io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

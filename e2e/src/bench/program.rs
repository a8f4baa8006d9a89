//! The chat node's benches: compiled, run, and watched while they measure.

use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, timeout};

use super::study::Part;
use crate::cargo;
use crate::load::{Meter, Processes, Role};
use crate::paths::Paths;
use crate::progress::Progress;

/// Between two looks at what processes use.
const LOOK: Duration = Duration::from_secs(1);

/// Compiles the bench of this name; gives where it is.
pub async fn compile(paths: &Paths, progress: &Progress, name: &str) -> Result<PathBuf> {
    let args = ["bench", "--bench", name, "--no-run"];
    progress.step("compile what measures", cargo::compile(&paths.tree, &args, name)).await
}

/// Runs it; what it prints is what was measured. `watched` belong to it beside its own processes.
pub async fn measure<M: DeserializeOwned>(
    mut command: Command,
    watched: impl IntoIterator<Item = (Role, Processes)>,
    within: Duration,
) -> Result<Part<M>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().context("cannot start what measures")?;
    let id = child.id().context("what measures has ended at once")?;
    let own = (Role::Generator, Processes::Family(id.cast_signed()));
    let mut meter = Meter::new(watched.into_iter().chain([own]).collect())?;
    meter.begin()?;
    let output = timeout(within, watch(child, &mut meter)).await;
    let measured = serde_json::from_slice(&output.context("the measurements take too long")??);
    let usage = meter.end()?;
    let measured = measured.context("what was measured is not what was expected")?;
    Ok(Part { measured, foreign_percent: usage.foreign_percent, steal_percent: usage.steal_percent })
}

/// What it prints. The meter has to look now and then, as processes end meanwhile.
async fn watch(child: Child, meter: &mut Meter) -> Result<Vec<u8>> {
    let mut output = pin!(child.wait_with_output());
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            output = &mut output => {
                let output = output?;
                ensure!(output.status.success(), "the measurements failed ({})", output.status);
                return Ok(output.stdout);
            }
            _ = looks.tick() => meter.look()?,
        }
    }
}

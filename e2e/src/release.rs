//! The programs of the work tree, compiled as they are released.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::timeout;

use crate::paths::Paths;
use crate::process::Run;
use crate::progress::Progress;

/// Cargo sees in this time that everything is compiled already.
const NOTHING_TO_DO: Duration = Duration::from_secs(3);
const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// Compiles these programs; returns the directory where they are. Says so only if it takes its time.
pub async fn build(paths: &Paths, progress: &Progress, programs: &[&str]) -> Result<PathBuf> {
    let log = paths.log("build-product");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Run::new("env")
        .args(inherited_from_cargo())
        .args([cargo])
        .args(["build", "--workspace", "--release", "--locked"])
        .args(programs.iter().flat_map(|program| ["--bin", *program]))
        .directory(&paths.tree)
        .deadline(BUILD_DEADLINE)
        .logged(&log);
    let mut build = pin!(build);
    match timeout(NOTHING_TO_DO, &mut build).await {
        Ok(built) => built?,
        Err(_) => progress.step(&format!("compile {}", programs.join(" and ")), build).await?,
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| paths.tree.join("target"), PathBuf::from);
    Ok(target.join("release"))
}

/// Becomes this program's own release build, with the same arguments: what measures must be fast itself.
pub async fn take_over(paths: &Paths, progress: &Progress) -> Result<ExitCode> {
    let program = build(paths, progress, &["e2e", "chat-node"]).await?.join("e2e");
    let error = Command::new(&program).args(std::env::args_os().skip(1)).exec();
    bail!("cannot start {}: {error}", program.display())
}

/// Takes away what `cargo e2e` tells its programs about themselves: build scripts that look at it would run again,
/// and everything after them be compiled again.
fn inherited_from_cargo() -> Vec<String> {
    const OURS: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names
        .filter(|name| OURS.iter().any(|ours| name.starts_with(ours)))
        .map(|name| format!("--unset={name}"))
        .collect()
}

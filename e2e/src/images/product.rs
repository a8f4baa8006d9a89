//! The images of VibeTalk itself, from its own Dockerfiles.
//!
//! The build stage of a Dockerfile compiles inside a Rust image, which this machine has no registry to pull from.
//! The stage is replaced by a directory with what this machine's own cargo compiled; all else runs as it stands.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join;
use tokio::time::timeout;

use super::base;
use super::digest::Ingredients;
use super::workshop::{Job, Workshop};
use crate::archive::{Archive, Placement};
use crate::process::Run;

const VERSION: u32 = 1;
/// Cargo sees in this time that everything is compiled already.
const NOTHING_TO_DO: Duration = Duration::from_secs(3);
const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// A program of VibeTalk with an image of its own.
#[derive(Clone, Copy)]
struct Program {
    /// The image's name, and the directory of its Dockerfile.
    image: &'static str,
    directory: &'static str,
    binary: &'static str,
}

const CHAT_NODE: Program = Program { image: "chat-node", directory: "chat-node", binary: "chat-node" };
const OPERATOR: Program =
    Program { image: "vibetalk-operator", directory: "operator", binary: "vibetalk-operator" };

/// The images of the chat node and of the operator, from the sources as they are now.
pub async fn product(workshop: &Workshop<'_>) -> Result<[Archive; 2]> {
    let (binaries, base) = try_join(compile(workshop), base::base(workshop)).await?;
    let chat_node = image(workshop, CHAT_NODE, &binaries, &base).await?;
    let operator = image(workshop, OPERATOR, &binaries, &base).await?;
    Ok([chat_node, operator])
}

/// Compiles both programs; returns the directory where they are. Says so only if it takes its time.
async fn compile(workshop: &Workshop<'_>) -> Result<PathBuf> {
    let tree = &workshop.paths.tree;
    let programs = [CHAT_NODE, OPERATOR].map(|program| ["--bin", program.binary]);
    let log = workshop.paths.log("build-product");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Run::new("env")
        .args(inherited_from_cargo())
        .args([cargo])
        .args(["build", "--workspace", "--release", "--locked"])
        .args(programs.iter().flatten())
        .directory(tree)
        .deadline(BUILD_DEADLINE)
        .logged(&log);
    let mut build = pin!(build);
    match timeout(NOTHING_TO_DO, &mut build).await {
        Ok(built) => built?,
        Err(_) => workshop.progress.step("compile chat-node and operator", build).await?,
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| tree.join("target"), PathBuf::from);
    Ok(target.join("release"))
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

async fn image(
    workshop: &Workshop<'_>,
    program: Program,
    binaries: &Path,
    base: &Archive,
) -> Result<Archive> {
    let context = workshop.paths.tree.join(program.directory);
    let dockerfile = context.join("Dockerfile");
    let binary = binaries.join(program.binary);
    let ingredients =
        Ingredients::new(program.image, VERSION).text(&base.reference).file(&dockerfile)?.file(&binary)?;
    let make = async |job: Job| {
        let stage = job.scratch.join("build");
        put(&binary, &stage.join("out").join(program.binary))?;
        // The Rust image has it too.
        put(base::CERTIFICATES.as_ref(), &stage.join(base::CERTIFICATES.trim_start_matches('/')))?;
        bake(&job, base, &dockerfile, &stage).await
    };
    workshop.image(ingredients, Placement::EveryNode, make).await
}

fn put(file: &Path, target: &Path) -> Result<()> {
    fs::create_dir_all(target.parent().unwrap_or(target))?;
    fs::copy(file, target).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

/// Runs the Dockerfile, with `stage` in place of its build stage.
async fn bake(job: &Job, base: &Archive, dockerfile: &Path, stage: &Path) -> Result<()> {
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let archive = format!("oci-archive:{}", shown(&base.path));
    let pull = buildah(job, "pull").args(["--quiet", &archive]);
    pull.logged(&job.log).await?;
    let build = buildah(job, "build")
        .args(["--isolation", "chroot", "--pull-never", "--timestamp", "0"])
        .args(["--build-arg", &format!("BASE={}", base.reference)])
        .args(["--build-context", &format!("build={}", shown(stage))])
        .args(["--tag", &job.reference, "--file", &shown(dockerfile), &shown(stage)]);
    build.logged(&job.log).await?;
    let output = format!("docker-archive:{}:{}", shown(&job.output), job.reference);
    let push = buildah(job, "push").args(["--quiet", "--disable-compression", &job.reference, &output]);
    push.logged(&job.log).await
}

/// A command of buildah whose images live and die with the job.
fn buildah(job: &Job, command: &str) -> Run {
    let directory = |name: &str| job.scratch.join(name).to_string_lossy().into_owned();
    Run::new("buildah").args([
        "--storage-driver",
        "vfs",
        "--root",
        &directory("storage"),
        "--runroot",
        &directory("run"),
        command,
    ])
}

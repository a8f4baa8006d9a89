//! The images of VibeTalk itself, from its own Dockerfiles.
//!
//! The build stage of a Dockerfile compiles inside a Rust image, which this machine has no registry to pull from.
//! The stage is replaced by a directory with what this machine's own cargo compiled; all else runs as it stands.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures::future::try_join;

use super::base;
use super::digest::Ingredients;
use super::workshop::{Job, Workshop};
use crate::archive::{Archive, Placement};
use crate::process::Run;
use crate::release;

const VERSION: u32 = 1;

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
    let programs = [CHAT_NODE, OPERATOR].map(|program| program.binary);
    let (binaries, base) =
        try_join(release::build(workshop.paths, workshop.progress, &programs), base::base(workshop)).await?;
    let chat_node = image(workshop, CHAT_NODE, &binaries, &base).await?;
    let operator = image(workshop, OPERATOR, &binaries, &base).await?;
    Ok([chat_node, operator])
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
    // Without a directory of its own for networks, of which it needs none, buildah leaves a lock in /etc/cni.
    let settings = format!("[network]\nnetwork_config_dir = \"{}\"\n", shown(&job.scratch.join("networks")));
    fs::write(settings_file(job), settings).context("cannot write buildah's settings")?;
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

fn settings_file(job: &Job) -> PathBuf {
    job.scratch.join("containers.conf")
}

/// A command of buildah whose images live and die with the job.
fn buildah(job: &Job, command: &str) -> Run {
    let directory = |name: &str| job.scratch.join(name).to_string_lossy().into_owned();
    Run::new("buildah").env("CONTAINERS_CONF", settings_file(job)).args([
        "--storage-driver",
        "vfs",
        "--root",
        &directory("storage"),
        "--runroot",
        &directory("run"),
        command,
    ])
}

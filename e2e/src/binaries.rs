//! Builds the Go programs, each once for a `go.sum`, into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::process::Run;
use crate::progress::Progress;
use crate::tool::{Module, Tool};

/// How long one program may take to build on a slow, busy machine.
const BUILD_DEADLINE: Duration = Duration::from_secs(45 * 60);

/// Where the built programs are.
#[derive(Clone, Debug)]
pub struct Binaries {
    tree: PathBuf,
    directories: Vec<(Module, PathBuf)>,
}

impl Binaries {
    /// The places of the programs of this work tree, built or not.
    pub fn locate(paths: &Paths) -> Result<Self> {
        let directory = |module: Module| Ok((module, root(paths).join(module.key(&paths.tree)?)));
        let directories = Module::ALL.into_iter().map(directory).collect::<Result<_>>()?;
        Ok(Self { tree: paths.tree.clone(), directories })
    }

    /// The program's file.
    pub fn path(&self, tool: Tool) -> PathBuf {
        self.directory(tool.module()).join(tool.name())
    }

    /// The directory of a module's programs; changes with every change of its `go.mod` or `go.sum`.
    pub fn directory(&self, module: Module) -> &Path {
        let known = self.directories.iter().find(|(known, _)| *known == module);
        known.map_or(Path::new(""), |(_, directory)| directory)
    }

    /// The source of `dependency` (a Go module's path, such as `k8s.io/ingress-nginx`) in the version that `module`
    /// pins; fetched if it is not there.
    pub async fn source(&self, module: Module, dependency: &str) -> Result<PathBuf> {
        let json = go(&self.tree, module).args(["mod", "download", "-json", dependency]).output().await?;
        let answer: serde_json::Value = serde_json::from_str(&json)?;
        let directory =
            answer["Dir"].as_str().with_context(|| format!("go knows no source of {dependency}"))?;
        Ok(directory.into())
    }
}

/// Builds those of `wanted` that are not there yet, one after the other, and drops what older versions left.
pub async fn ensure(paths: &Paths, progress: &Progress, wanted: &[Tool]) -> Result<Binaries> {
    let binaries = Binaries::locate(paths)?;
    let missing: Vec<Tool> = wanted.iter().copied().filter(|tool| !binaries.path(*tool).is_file()).collect();
    for (index, tool) in missing.iter().enumerate() {
        let name = format!("build {} ({} of {})", tool.name(), index + 1, missing.len());
        progress.step(&name, build(paths, &binaries, *tool)).await?;
    }
    if !missing.is_empty() {
        remove_older(&root(paths), &binaries)?;
    }
    Ok(binaries)
}

async fn build(paths: &Paths, binaries: &Binaries, tool: Tool) -> Result<()> {
    let directory = binaries.directory(tool.module());
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let unfinished = directory.join(format!(".{}.{}", tool.name(), std::process::id()));
    let flags = tool.linker_flags(&tool.module().go_mod(&paths.tree)?)?;
    let log = paths.log(&format!("build-{}", tool.name()));
    let output = unfinished.to_string_lossy().into_owned();
    go(&paths.tree, tool.module())
        .args(["build", "-trimpath", "-buildvcs=false", "-tags", tool.tags(), "-ldflags", &flags])
        .args(["-o", &output, &tool.package()])
        .deadline(BUILD_DEADLINE)
        .logged(&log)
        .await?;
    fs::rename(&unfinished, binaries.path(tool)).context("cannot put the built program into its place")
}

/// Static programs: they also run in images that hold nothing else.
fn go(tree: &Path, module: Module) -> Run {
    Run::new("go")
        .directory(&module.directory(tree))
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
}

fn remove_older(root: &Path, binaries: &Binaries) -> Result<()> {
    for entry in fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))? {
        let path = entry?.path();
        let current = binaries.directories.iter().any(|(_, directory)| *directory == path);
        if !current {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn root(paths: &Paths) -> PathBuf {
    paths.cache.join("bin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_other_versions_are_dropped_and_the_current_ones_stay() {
        let cache = tempfile::tempdir().unwrap();
        let paths = Paths { cache: cache.path().to_path_buf(), ..Paths::discover().unwrap() };
        let binaries = Binaries::locate(&paths).unwrap();
        let kept = binaries.path(Tool::Etcd);
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(&kept, "").unwrap();
        let older = root(&paths).join("cluster-0000000000000000");
        fs::create_dir_all(&older).unwrap();

        remove_older(&root(&paths), &binaries).unwrap();

        assert!(kept.is_file());
        assert!(!older.exists());
    }
}

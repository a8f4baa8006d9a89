//! What a run took place on, so that its numbers can be judged.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::process::Run;

/// Says what differs from the commit, but for what earlier runs have published.
const DIFFERS: [&str; 7] =
    ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!e2e/BENCHMARKS.md", ":!e2e/benchmarks"];

/// The machine and the versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Surroundings {
    /// The processor, as it calls itself.
    pub processor: String,
    /// How many cores this program may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The kernel.
    pub kernel: String,
    /// The commit of the work tree, with a `+` if anything else than published results differs from it.
    pub commit: String,
    /// The compiler.
    pub compiler: String,
    /// What was measured, by name.
    pub versions: Vec<(String, String)>,
}

impl Surroundings {
    /// Of this machine and work tree. What cannot be found out is left empty.
    pub async fn look(tree: &Path, versions: Vec<(String, String)>) -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_default()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let commit = said(tree, "git", &["rev-parse", "--short=10", "HEAD"]).await;
        let changed = !said(tree, "git", &DIFFERS).await.is_empty();
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib / 1_024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: format!("{commit}{}", if changed { "+" } else { "" }),
            compiler: said(tree, "rustc", &["--version"]).await,
            versions,
        }
    }
}

async fn said(tree: &Path, program: &str, args: &[&str]) -> String {
    let output = Run::new(program).args(args).directory(tree).output().await;
    output.map(|text| text.trim().to_owned()).unwrap_or_default()
}

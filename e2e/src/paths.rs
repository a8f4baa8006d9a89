//! Where everything is kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The directories that this program uses.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The work tree of VibeTalk.
    pub tree: PathBuf,
    /// What is costly to make and stays after `down`: binaries, root file systems, image archives.
    pub cache: PathBuf,
    /// What belongs to the running cluster and goes with `down`: certificates, logs, process ids.
    pub state: PathBuf,
}

impl Paths {
    /// The directories of this user: below `$VT_E2E_CACHE` (or `$XDG_CACHE_HOME`, or `~/.cache`) and
    /// `$VT_E2E_STATE` (or `$XDG_STATE_HOME`, or `~/.local/state`).
    pub fn discover() -> Result<Self> {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the crate e2e has no parent directory")?
            .to_path_buf();
        Ok(Self {
            tree,
            cache: directory("VT_E2E_CACHE", "XDG_CACHE_HOME", ".cache")?,
            state: directory("VT_E2E_STATE", "XDG_STATE_HOME", ".local/state")?,
        })
    }

    /// The directory of the workloads.
    pub fn profiles(&self) -> PathBuf {
        self.tree.join("e2e/profiles")
    }

    /// The directory of the logs, one file a part.
    pub fn logs(&self) -> PathBuf {
        self.state.join("log")
    }

    /// The log of one part.
    pub fn log(&self, part: &str) -> PathBuf {
        self.logs().join(format!("{part}.log"))
    }

    /// The administrator's kubeconfig of the local cluster.
    pub fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig")
    }

    /// Where kubectl keeps what it has learnt of the API; in its own place it would outlive the cluster.
    pub fn kubectl_cache(&self) -> PathBuf {
        self.state.join("kubectl")
    }
}

/// `$own`, or `vibetalk-e2e` below `$xdg` or below `~/fallback`.
fn directory(own: &str, xdg: &str, fallback: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(own) {
        return Ok(path.into());
    }
    let base = match std::env::var_os(xdg) {
        Some(path) => PathBuf::from(path),
        None => {
            let home = std::env::var_os("HOME").with_context(|| format!("set HOME or {own}"))?;
            PathBuf::from(home).join(fallback)
        }
    };
    Ok(base.join("vibetalk-e2e"))
}

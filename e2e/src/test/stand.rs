//! The cluster that the tests run on.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::binaries::Binaries;
use crate::cluster::Local;
use crate::down::{self, Check};
use crate::paths::Paths;
use crate::product::Target;
use crate::progress::Progress;
use crate::up;

/// Whether this run brought the cluster up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It did, so it takes it down.
    BroughtUp,
    /// It ran before, and stays.
    Found,
}

/// The running cluster with the product on it as it is in the work tree.
#[derive(Debug)]
pub struct Stand {
    /// Its parts on this machine.
    pub local: Local,
    /// What runs on it.
    pub target: Target,
    origin: Origin,
}

/// Whether a cluster can be had at all.
pub fn possible() -> bool {
    up::possible()
}

impl Stand {
    /// Brings the cluster up, or into it what changed.
    pub async fn take(paths: &Paths, progress: &Progress) -> Result<Self> {
        let running = Local::running(paths, &Binaries::locate(paths)?);
        let origin = if running.nodes.is_empty() { Origin::BroughtUp } else { Origin::Found };
        let up = up::everything(paths, progress, None).await;
        match up {
            Ok((local, target, _)) => Ok(Self { local, target, origin }),
            Err(error) => {
                if origin == Origin::BroughtUp {
                    down::run(paths, progress, Check::Skip).await?;
                }
                Err(error)
            }
        }
    }

    /// Takes down what [`Self::take`] brought up; an error if the machine is not as it was before. Nothing if the
    /// cluster ran before.
    pub async fn leave(self, paths: &Paths, progress: &Progress) -> Option<(Result<()>, Duration)> {
        if self.origin == Origin::Found {
            return None;
        }
        let begin = Instant::now();
        let outcome = down::run(paths, progress, Check::Compare).await;
        Some((outcome, begin.elapsed()))
    }
}

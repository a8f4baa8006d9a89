//! The broker and the store that the crates' own tests use: the running cluster's, or ones built for them.

use anyhow::Result;

use super::selection::Selection;
use super::stand::Stand;
use crate::binaries::Binaries;
use crate::cluster::Local;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::product::{Backends, Target};
use crate::progress::Progress;
use crate::site::{self, Site};

/// Whose they are.
pub enum Neighbours {
    /// A cluster's, which goes on.
    OfCluster(Backends),
    /// Built for these tests; nobody else may build or change anything meanwhile.
    Built(Site, Lock),
    /// There are none.
    Nobody,
}

impl Neighbours {
    /// Finds or builds them; says so if there are none.
    pub async fn find(
        (paths, progress): (&Paths, &Progress),
        stand: Option<&Stand>,
        selection: &Selection,
    ) -> Result<Self> {
        if let Some(stand) = stand {
            return Ok(Self::OfCluster(stand.target.backends.clone()));
        }
        let running = Local::running(paths, &Binaries::locate(paths)?);
        if !running.nodes.is_empty() {
            return Ok(Self::OfCluster(Target::local(&running)?.backends));
        }
        let hindrance = if selection.words().is_some() {
            Some("no cluster runs; `cargo e2e test unit` starts them for its tests")
        } else {
            site::hindrance()
        };
        if let Some(hindrance) = hindrance {
            println!("left out: tests on a real broker and a real store: {hindrance}");
            return Ok(Self::Nobody);
        }
        let lock = Lock::take(paths)?;
        site::prepare(paths, progress).await?;
        let site = progress.step("start RabbitMQ and the store", Site::build(paths, site::PARTS, 1)).await?;
        Ok(Self::Built(site, lock))
    }

    /// Where they are.
    pub fn backends(&self) -> Result<Option<Backends>> {
        Ok(match self {
            Self::OfCluster(backends) => Some(backends.clone()),
            Self::Built(site, _) => Some(site.backends()?),
            Self::Nobody => None,
        })
    }

    /// Ends what was built.
    pub async fn leave(self) -> Result<()> {
        match self {
            Self::Built(site, _lock) => site.end().await,
            Self::OfCluster(_) | Self::Nobody => Ok(()),
        }
    }
}

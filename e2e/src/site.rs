//! Brokers and a store on this machine without Kubernetes, whose processes can be harmed one by one.
//!
//! They are the images of the local cluster, each program in a mount namespace of its own, on ports of loopback. Every
//! program is a part of its own control group, so all of it can be ended at any time, also what a run left that was
//! cut short.

mod broker;
mod confined;
mod fault;
mod member;
mod root;
mod store;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use futures::future::{try_join, try_join_all};

use crate::binaries::{self, Binaries};
use crate::cgroup::{self, Hierarchy};
use crate::daemon::Daemon;
use crate::images;
use crate::login::Login;
use crate::packages;
use crate::paths::Paths;
use crate::product::{Backends, Broker};
use crate::progress::Progress;
use crate::tool::Tool;

pub use broker::node_name;
pub use fault::{Action, Order};
pub use member::Member;

/// Brokers of a site, at most.
pub const MOST_BROKERS: u8 = 3;

/// A site's name and ports. Two plots may be built on at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plot {
    name: &'static str,
    /// The first of a hundred ports, below those that the kernel gives to connections.
    port: u16,
}

/// For tests of single parts against brokers and store.
pub const PARTS: Plot = Plot { name: "parts", port: 17_600 };
/// For chat nodes.
pub const CHAT: Plot = Plot { name: "chat", port: 17_700 };
/// For chat nodes under load.
pub const LOAD: Plot = Plot { name: "load", port: 17_800 };

const PLOTS: [Plot; 3] = [PARTS, CHAT, LOAD];

/// Brokers and a store.
#[derive(Clone, Debug)]
pub struct Site {
    plot: Plot,
    /// Its own: all that belongs to it is in one directory.
    paths: Paths,
    binaries: Binaries,
    brokers: u8,
    login: Login,
    groups: Vec<Hierarchy>,
}

/// Why there can be no site here, if so.
pub fn hindrance() -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("they need root; run `cargo e2e test` as root");
    }
    if crate::process::find("apt-get").is_none() {
        return Some("they are made from Debian packages, and this is no Debian");
    }
    match groups() {
        Ok(groups) if groups.is_empty() => Some("they need control groups of version 1"),
        Ok(_) => None,
        Err(_) => Some("the control groups cannot be read"),
    }
}

/// Makes what sites are built from, or what is missing of it.
pub async fn prepare(paths: &Paths, progress: &Progress) -> Result<()> {
    packages::ensure(paths, progress, &packages::IMAGES).await?;
    let binaries = binaries::ensure(paths, progress, &[Tool::Ferretdb]).await?;
    let [rabbitmq, documentdb] = images::services(paths, progress, &binaries).await?;
    root::unpack(paths, broker::PROGRAM, &rabbitmq).await?;
    root::unpack(paths, store::DATABASE, &documentdb).await
}

impl Site {
    /// Builds a site of this many brokers, and the store; ends what an earlier run left there. [`prepare`] comes first.
    pub async fn build(paths: &Paths, plot: Plot, brokers: u8) -> Result<Self> {
        let site = Self::found(paths, plot, brokers).await?;
        let raised = try_join(site.raise_brokers(), site.raise_store()).await.map(drop);
        site.or_end(raised).await
    }

    /// The same without the store.
    pub async fn build_brokers(paths: &Paths, plot: Plot, brokers: u8) -> Result<Self> {
        let site = Self::found(paths, plot, brokers).await?;
        let raised = site.raise_brokers().await;
        site.or_end(raised).await
    }

    /// The same without brokers.
    pub async fn build_store(paths: &Paths, plot: Plot) -> Result<Self> {
        let site = Self::found(paths, plot, 0).await?;
        let raised = site.raise_store().await;
        site.or_end(raised).await
    }

    async fn found(paths: &Paths, plot: Plot, brokers: u8) -> Result<Self> {
        clear(paths, plot).await?;
        let own = own(paths, plot);
        fs::create_dir_all(&own.state).with_context(|| format!("cannot make {}", own.state.display()))?;
        fs::write(own.state.join("brokers"), brokers.to_string())?;
        Login::ensure(&own.state.join("login.json"))?;
        let site = Self::at(paths, plot)?;
        site.write_order()?;
        Ok(site)
    }

    async fn or_end(self, raised: Result<()>) -> Result<Self> {
        match raised {
            Ok(()) => Ok(self),
            Err(error) => {
                end_processes(self.plot).await?;
                Err(error)
            }
        }
    }

    /// The site that was built on a plot.
    pub fn at(paths: &Paths, plot: Plot) -> Result<Self> {
        let own = own(paths, plot);
        let brokers = fs::read_to_string(own.state.join("brokers"));
        let brokers = brokers.with_context(|| format!("nothing was built at {}", own.state.display()))?;
        Ok(Self {
            plot,
            binaries: Binaries::locate(paths)?,
            brokers: brokers.parse().context("the number of brokers is none")?,
            login: Login::of(&own.state.join("login.json"))?,
            groups: groups()?,
            paths: own,
        })
    }

    /// Where it is, for those that use it.
    pub fn backends(&self) -> Result<Backends> {
        let broker = Broker::parse(&self.broker_uri(1), &self.management_uri(1))?;
        Ok(Backends { broker, mongodb_uri: self.mongodb_uri() })
    }

    /// The numbers of its brokers.
    pub fn brokers(&self) -> std::ops::RangeInclusive<u8> {
        1..=self.brokers
    }

    /// Where its files and logs are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// A free port of its own; `offset` from 0 to 49.
    pub fn port(&self, offset: u16) -> u16 {
        self.plot.port + 50 + offset
    }

    /// One more program of this site, which ends with it.
    pub fn daemon(
        &self,
        name: &str,
        command: Vec<String>,
        environment: Vec<(&'static str, String)>,
    ) -> Daemon {
        Daemon {
            part: format!("{}{name}", prefix(self.plot)),
            command,
            environment,
            configuration: String::new(),
            groups: self.groups.clone(),
        }
    }

    /// Ends all of it and removes its files.
    pub async fn end(self) -> Result<()> {
        end_processes(self.plot).await?;
        remove(&self.paths.state)
    }

    fn directory(&self, name: &str) -> PathBuf {
        self.paths.state.join(name)
    }

    fn service_port(&self, offset: u16) -> u16 {
        self.plot.port + offset
    }

    async fn raise_brokers(&self) -> Result<()> {
        self.start_names().await?;
        try_join_all(self.brokers().map(|number| self.start(Member::Broker(number)))).await?;
        self.until_clustered().await
    }

    async fn raise_store(&self) -> Result<()> {
        self.start(Member::Database).await?;
        self.start(Member::Ferretdb).await
    }
}

/// Ends whatever was built, and removes all files, or all but the logs.
pub async fn end_all(paths: &Paths, keep_logs: bool) -> Result<()> {
    for plot in PLOTS {
        end_processes(plot).await?;
        let own = own(paths, plot);
        let kept = if keep_logs { own.logs() } else { PathBuf::new() };
        for entry in fs::read_dir(&own.state).into_iter().flatten().flatten() {
            if entry.path() != kept {
                remove(&entry.path())?;
            }
        }
        // Not empty: the logs are there.
        let _ = fs::remove_dir(&own.state);
    }
    Ok(())
}

/// The plot of this name.
fn plot(name: &str) -> Result<Plot> {
    match PLOTS.into_iter().find(|plot| plot.name == name) {
        Some(plot) => Ok(plot),
        None => bail!("there is no site `{name}`"),
    }
}

fn own(paths: &Paths, plot: Plot) -> Paths {
    Paths { state: paths.state.join(format!("site-{}", plot.name)), ..paths.clone() }
}

/// What the names of all its control groups begin with.
fn prefix(plot: Plot) -> String {
    format!("site-{}-", plot.name)
}

fn groups() -> Result<Vec<Hierarchy>> {
    Ok(cgroup::hierarchies()?.into_iter().filter(|one| one.has("pids")).collect())
}

/// Ends whatever is left on a plot and removes its files.
async fn clear(paths: &Paths, plot: Plot) -> Result<()> {
    end_processes(plot).await?;
    remove(&own(paths, plot).state)
}

async fn end_processes(plot: Plot) -> Result<()> {
    let groups = groups()?;
    let parts = cgroup::parts(&groups).into_iter().filter(|part| part.starts_with(&prefix(plot)));
    let parts: Vec<String> = parts.collect();
    try_join_all(parts.iter().map(|part| cgroup::end(&groups, part))).await?;
    cgroup::remove_root(&groups);
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

//! Brings everything up, or what of it is missing or has changed.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use futures::future::try_join;

use crate::addons;
use crate::archive::Archive;
use crate::args::Existing;
use crate::binaries::{self, Binaries};
use crate::cluster::Local;
use crate::control_plane::ControlPlane;
use crate::down;
use crate::host;
use crate::images;
use crate::lock::Lock;
use crate::machine::{self, Need};
use crate::network;
use crate::packages;
use crate::paths::Paths;
use crate::pki;
use crate::process::find;
use crate::product::{self, Announcement, Target};
use crate::progress::Progress;
use crate::services;
use crate::snapshot::Snapshot;
use crate::tool::Tool;

/// How many nodes there are if nobody says otherwise.
const NODES: u8 = 3;

/// Brings up the local cluster with VibeTalk on it, or what changed of it.
pub async fn everything(
    paths: &Paths,
    progress: &Progress,
    nodes: Option<u8>,
) -> Result<(Local, Target, Announcement)> {
    let local = local(paths, progress, nodes).await?;
    let target = Target::local(&local)?;
    let announcement = product::apply(&target, progress).await?;
    Ok((local, target, announcement))
}

/// Brings VibeTalk onto a cluster that is there already, or what changed of it.
pub async fn existing(paths: &Paths, progress: &Progress, existing: &Existing) -> Result<Announcement> {
    let binaries = binaries::ensure(paths, progress, &[Tool::Kubectl, Tool::Helm]).await?;
    product::apply(&Target::existing(paths, &binaries, existing)?, progress).await
}

/// Brings up the local cluster; `nodes`: how many, or as many as last time, or three.
pub async fn local(paths: &Paths, progress: &Progress, nodes: Option<u8>) -> Result<Local> {
    let _lock = Lock::take(paths)?;
    let binaries = Binaries::locate(paths)?;
    let running = Local::running(paths, &binaries).nodes.len() as u8;
    let wanted = nodes.or_else(|| nodes_of_last_time(paths)).unwrap_or(NODES);

    let missing = Tool::CLUSTER.into_iter().filter(|tool| !binaries.path(*tool).is_file()).count();
    announce(paths, progress, missing, wanted);
    machine::check(paths, Need::new(wanted.saturating_sub(running), missing == 0)).await?;
    let fresh = clear_what_is_cut_short(paths, progress, &binaries).await?;
    packages::ensure(paths, progress, &packages::CLUSTER).await?;
    machine::try_kernel().await?;
    let binaries = binaries::ensure(paths, progress, &Tool::CLUSTER).await?;

    let local = Local::new(paths, &binaries, wanted);
    prepare(paths, fresh).await?;
    fs::write(nodes_file(paths), wanted.to_string()).context("cannot write down the number of nodes")?;
    let control_plane = ControlPlane::new(paths, &binaries)?;
    let nodes = async {
        let archives: Vec<Archive> = images::ensure(paths, progress, &binaries).await?;
        local.ensure_nodes(progress, &archives).await?;
        Ok(archives)
    };
    let ((), archives) = try_join(control_plane.ensure(paths, progress), nodes).await?;
    local.admit()?;
    remove_surplus(&local, progress).await?;
    local.until_ready(progress).await?;
    try_join(
        progress.step("CoreDNS, metrics-server, ingress-nginx", addons::ensure(&local, &archives)),
        progress.step("RabbitMQ and the store", services::ensure(&local, &archives)),
    )
    .await?;
    Ok(local)
}

/// How many nodes the last `up` was to run; some of them may have been lost since.
fn nodes_of_last_time(paths: &Paths) -> Option<u8> {
    fs::read_to_string(nodes_file(paths)).ok()?.trim().parse().ok()
}

fn nodes_file(paths: &Paths) -> PathBuf {
    paths.state.join("nodes")
}

/// Says what will be done, before anything is.
fn announce(paths: &Paths, progress: &Progress, missing: usize, nodes: u8) {
    progress.say(format_args!(
        "a Kubernetes of {nodes} node(s) on this machine; `cargo e2e down` puts everything back"
    ));
    progress.say(format_args!("state and logs: {}", paths.state.display()));
    progress.say(format_args!("programs and images: {}", paths.cache.display()));
    if missing > 0 {
        progress.say(format_args!(
            "{missing} programs are built from Go modules first; that can take half an hour, once"
        ));
    }
}

/// Removes what an earlier cluster left that is not whole any more; whether this one begins anew.
async fn clear_what_is_cut_short(paths: &Paths, progress: &Progress, binaries: &Binaries) -> Result<bool> {
    let whole = pki::directory(paths).is_dir() && ControlPlane::new(paths, binaries)?.any_runs();
    if !whole {
        down::clear(paths, progress).await?;
    }
    Ok(!whole)
}

/// What stands before the first process: the record of what is to be put back, network and certificates.
async fn prepare(paths: &Paths, fresh: bool) -> Result<()> {
    if fresh {
        Snapshot::take(paths).await?.keep_first(paths)?;
    }
    host::prepare(paths)?;
    network::ensure().await?;
    pki::ensure(paths)
}

/// Ends the nodes beyond the number that is wanted now.
async fn remove_surplus(local: &Local, progress: &Progress) -> Result<()> {
    let running = Local::running(&local.paths, &local.binaries);
    for node in running.nodes.iter().skip_while(|node| usize::from(node.number) <= local.nodes.len()) {
        progress.step(&format!("end {}", node.name()), local.remove(node)).await?;
    }
    Ok(())
}

/// Whether root's work can be done here at all; tests that need the cluster are left out otherwise.
pub fn possible() -> bool {
    nix::unistd::geteuid().is_root() && find("apt-get").is_some()
}

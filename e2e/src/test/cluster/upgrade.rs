//! `helm upgrade`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::operator_loss::{at_work, names};
use crate::process::Run;
use crate::product::{DEMO, DEMO_NAMESPACE, SYSTEM, install_chart};
use crate::test::children;
use crate::test::world::World;

const CHART: &str = "charts/vibetalk-operator";

pub async fn from_previous_revision(world: Arc<World>) -> Result<()> {
    let directory = world.target.paths.state.join("earlier-chart");
    let Some(earlier) = earlier_chart(&world.target.paths.tree, &directory).await? else {
        println!("    left out: git knows no earlier revision of the chart");
        return Ok(());
    };
    let outcome = upgraded(&world, &earlier).await;
    tokio::fs::remove_dir_all(&directory).await?;
    outcome
}

async fn upgraded(world: &World, earlier: &Path) -> Result<()> {
    install_chart(&world.target, &world.client, earlier).await.context("the earlier chart")?;
    at_work(world).await.context("with the earlier chart")?;
    let (cluster, pods) = (world.demo().await?, world.pods(DEMO_NAMESPACE, DEMO).await?);
    let before = children::fingerprint(&children::of(&world.client, DEMO_NAMESPACE, DEMO).await?);

    let chart = world.target.paths.tree.join(CHART);
    install_chart(&world.target, &world.client, &chart).await.context("the chart as it is now")?;
    at_work(world).await.context("with the chart as it is now")?;
    let after = world.demo().await?;
    ensure!(after.uid() == cluster.uid(), "the example was made anew");
    ensure!(after.metadata.generation == cluster.metadata.generation, "the example's spec was changed");
    ensure!(after.spec == cluster.spec, "the example's spec reads differently: {:?}", after.spec);
    let children = children::fingerprint(&children::of(&world.client, DEMO_NAMESPACE, DEMO).await?);
    let differs: Vec<_> =
        before.iter().filter(|child| child.0 != "Service" && !children.contains(child)).collect();
    ensure!(differs.is_empty(), "the upgrade changed {differs:?}");
    let uids = |pods: &[Pod]| pods.iter().filter_map(ResourceExt::uid).collect::<Vec<_>>();
    let now = world.pods(DEMO_NAMESPACE, DEMO).await?;
    ensure!(uids(&now) == uids(&pods), "chat nodes were replaced: {:?} by {:?}", names(&pods), names(&now));
    let history = world.target.helm(&["list", "--namespace", SYSTEM, "--short"]).output().await?;
    ensure!(history.lines().count() == 1, "the releases are {history}");
    Ok(())
}

/// The chart before its last change, put into `directory`; `None` where the history does not reach so far.
async fn earlier_chart(tree: &Path, directory: &Path) -> Result<Option<PathBuf>> {
    let git = || Run::new("git").args(["-C".as_ref(), tree.as_os_str()]);
    let Ok(revisions) = git().args(["log", "-2", "--format=%H", "--", CHART]).output().await else {
        return Ok(None);
    };
    let Some(revision) = revisions.lines().nth(1) else { return Ok(None) };
    tokio::fs::create_dir_all(directory).await?;
    let archive = directory.join("chart.tar");
    git().args(["archive", "--output"]).args([archive.as_os_str()]).args([revision, CHART]).output().await?;
    Run::new("tar")
        .args(["-x".as_ref(), "-f".as_ref(), archive.as_os_str(), "-C".as_ref(), directory.as_os_str()])
        .output()
        .await?;
    Ok(Some(directory.join(CHART)))
}

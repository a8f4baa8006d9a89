//! A machine dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::town::{SIZE, Town};
use crate::eventually::eventually;
use crate::node::Node;
use crate::test::world::{is_ready, node_of};

/// For Kubernetes to notice, to give the pods up, and to start others.
const PATIENCE: Duration = Duration::from_secs(180);

pub async fn survived(town: &Town) -> Result<()> {
    let pods = town.pods().await?;
    let on = |node: &&Node| pods.iter().any(|pod| node_of(pod) == Some(&node.name()));
    let victim = town.world.local.nodes.iter().filter(|node| !node.holds_services()).find(on);
    let victim = victim.context("no node can be spared: bring the cluster up with three")?.clone();
    victim.kill().await?;
    let outcome = goes_on(town, &victim.name()).await;
    town.world.local.revive(&victim).await.context("cannot start the killed node again")?;
    outcome?;
    town.well(SIZE).await.map(drop)
}

/// Everybody talks, and as many pods as before are ready on other machines.
async fn goes_on(town: &Town, dead: &str) -> Result<()> {
    town.crowd.goes_on().await?;
    eventually("as many chat nodes are ready on other machines", PATIENCE, || async {
        let pods = town.pods().await?;
        let elsewhere = pods.iter().filter(|pod| is_ready(pod) && node_of(pod) != Some(dead)).count();
        ensure!(elsewhere == SIZE, "{elsewhere} of {SIZE}");
        Ok(())
    })
    .await
}

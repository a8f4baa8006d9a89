//! A machine dies.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::client::OFFICIAL;
use crate::eventually::eventually;
use crate::node::Node;
use crate::product::{DEMO, DEMO_NAMESPACE};
use crate::test::chatter::Chatter;
use crate::test::world::{World, is_ready, node_of};

/// For Kubernetes to notice, to give the pods up, and to start others.
const PATIENCE: Duration = Duration::from_secs(180);

pub async fn survived(world: Arc<World>) -> Result<()> {
    let pods = world.scale_demo(3).await?;
    let on = |node: &Node| pods.iter().any(|pod| node_of(pod) == Some(&node.name()));
    let victim = world.local.nodes.iter().rev().find(|node| !node.holds_services() && on(node));
    let victim = victim.context("no node can be spared: bring the cluster up with three")?.clone();
    let crowd = world.crowd(9, 3).await?;
    let chatter = Chatter::start(crowd, 2, Duration::from_millis(100));

    victim.kill().await?;
    let outcome = goes_on(&world, &victim.name()).await;
    let talked = chatter.stop().await;
    world.local.revive(&victim).await.context("cannot start the killed node again")?;
    outcome?;
    talked.context("while the node was dead")?;
    world.scale_demo(2).await.context("after the node was started again")?;
    Ok(())
}

/// New users chat, and as many pods as before are ready on other machines.
async fn goes_on(world: &World, dead: &str) -> Result<()> {
    let eve = eventually("a new user can sign in", PATIENCE, || world.sign_in("eve")).await?;
    eve.send(OFFICIAL, "is anybody there?").await?;
    eventually("three chat nodes are ready on other machines", PATIENCE, || async {
        let pods = world.pods(DEMO_NAMESPACE, DEMO).await?;
        let elsewhere = pods.iter().filter(|pod| is_ready(pod) && node_of(pod) != Some(dead)).count();
        ensure!(elsewhere == 3, "{elsewhere} of 3");
        Ok(())
    })
    .await?;
    let text = format!("all are back {:08x}", fastrand::u32(..));
    let fay = world.sign_in_elsewhere("fay", &[eve.server()?]).await?;
    fay.send(OFFICIAL, &text).await?;
    eve.receives(&text).await?;
    eve.check()
}

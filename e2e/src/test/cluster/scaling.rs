//! `kubectl scale`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::product::{DEMO, DEMO_NAMESPACE};
use crate::test::chatter::Chatter;
use crate::test::world::{World, node_of};

pub async fn up_and_down(world: Arc<World>) -> Result<()> {
    let pods = world.scale_demo(3).await?;
    let ids = world.server_ids(&pods).await?;
    ensure!(ids.len() == 3, "the server ids are {ids:?}");
    let nodes: BTreeSet<&str> = pods.iter().filter_map(node_of).collect();
    let spread = world.local.nodes.len().min(3);
    ensure!(nodes.len() == spread, "3 pods are on {nodes:?}");

    let crowd = world.crowd(12, 3).await?;
    let chatter = Chatter::start(crowd.clone(), 3, Duration::from_millis(50));
    let stayed = world.scale_demo(2).await?;
    let left: Vec<u16> = {
        let staying = world.server_ids(&stayed).await?;
        ids.into_iter().filter(|id| !staying.contains(id)).collect()
    };
    let [left] = left[..] else { anyhow::bail!("the servers {left:?} left") };
    let count = chatter.stop().await?;
    ensure!(count > 100, "only {count} messages were sent meanwhile");

    let moved: Vec<_> = crowd.iter().filter(|chat| chat.record().servers.first() == Some(&left)).collect();
    ensure!(!moved.is_empty(), "nobody was on server {left}");
    for chat in moved {
        let record = chat.record();
        ensure!(record.asked_to_reconnect > 0, "a client of server {left} was cut off, not asked to leave");
        let now = record.server().context("a client is not connected")?;
        ensure!(now != left, "a client is still on server {left}");
    }
    let replicas = world.demo().await?.spec.replicas;
    ensure!(replicas == Some(2), "{DEMO_NAMESPACE}/{DEMO} wants {replicas:?} replicas");
    Ok(())
}

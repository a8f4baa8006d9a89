//! Other partitions, and another routing.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::exchange::ClusterKey;
use crds::{RoutingMode, TopologyStatus, TopologyStep};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::json;

use super::town::{NAME, SIZE, Town, names};
use crate::eventually::eventually;
use crate::test::operators::Operators;

/// For all chat nodes to move, and for an operator whose predecessor handed nothing over.
const MOVED_WITHIN: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_millis(5);

pub async fn moved(town: &Town, partitions: u16) -> Result<()> {
    let before = names(&town.pods().await?);
    town.change(json!({ "rabbitmq": { "partitions": partitions } })).await?;
    arrived(town, (partitions, RoutingMode::default())).await?;
    ensure!(names(&town.pods().await?) == before, "pods were replaced");
    Ok(())
}

/// As [`moved`], and all operators die at once, without a word, while the chat nodes are on their way.
pub async fn moved_by_two_operators(town: &Town, partitions: u16) -> Result<()> {
    let before = names(&town.pods().await?);
    let operators = Operators::processes(&town.world)?;
    town.change(json!({ "rabbitmq": { "partitions": partitions } })).await?;
    let step = tokio::time::timeout(MOVED_WITHIN, under_way(town)).await.context("nothing moves")??;
    for pid in operators {
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).context("cannot kill an operator")?;
    }
    let status = topology(town).await?;
    ensure!(status.step.is_some(), "all was over before the operators were dead: {status:?}");
    println!("      the operators died at the step {step:?}");
    arrived(town, (partitions, RoutingMode::default())).await?;
    ensure!(names(&town.pods().await?) == before, "pods were replaced");
    Ok(())
}

/// Waits until chat nodes use the new partitions beside the old ones. Each step takes a few moments only.
async fn under_way(town: &Town) -> Result<TopologyStep> {
    loop {
        if let Some(step) = topology(town).await?.step.filter(|step| *step > TopologyStep::Declaring) {
            return Ok(step);
        }
        tokio::time::sleep(GLANCE).await;
    }
}

pub async fn rerouted(town: &Town) -> Result<()> {
    let partitions = topology(town).await?.partitions;
    town.change(json!({ "rabbitmq": { "routing": RoutingMode::User } })).await?;
    arrived(town, (partitions, RoutingMode::User)).await
}

/// Waits until nothing is left of the partitions before.
async fn arrived(town: &Town, (partitions, routing): (u16, RoutingMode)) -> Result<()> {
    let what = format!("the cluster has {partitions} partitions by {routing:?} and no other");
    eventually(&what, MOVED_WITHIN, || async {
        let status = topology(town).await?;
        let is_there = status.partitions == partitions && status.routing == routing;
        ensure!(is_there && status.target.is_none() && status.step.is_none(), "the status says {status:?}");
        only(town, status).await
    })
    .await?;
    town.well(SIZE).await.map(drop)
}

/// The broker has the exchanges of this epoch only, and the chat nodes use it only.
async fn only(town: &Town, status: TopologyStatus) -> Result<()> {
    let key = ClusterKey::new(&town.scene.namespace, NAME);
    let wanted = (0..status.partitions).map(|number| key.partition(status.epoch, number));
    let wanted: BTreeSet<String> = wanted.chain([key.control()]).collect();
    let found = town.world.broker.exchanges(&key.prefix()).await?;
    let found: BTreeSet<String> = found.into_iter().map(|exchange| exchange.name).collect();
    ensure!(found == wanted, "the broker has {found:?}");
    for pod in town.pods().await? {
        let report = town.world.report(&pod).await?;
        let uses = (report.epochs.as_slice(), report.publishing);
        ensure!(uses == (&[status.epoch], Some(status.epoch)), "{} uses {uses:?}", report.node);
    }
    Ok(())
}

async fn topology(town: &Town) -> Result<TopologyStatus> {
    let status = town.scene.clusters().get(NAME).await?.status.context("no status")?;
    status.topology.context("no topology in the status")
}

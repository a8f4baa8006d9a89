//! A machine is emptied.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, EvictParams};

use super::town::{SIZE, Town, names};
use crate::eventually::eventually;
use crate::test::world::node_of;

/// For those that are evicted before to be replaced.
const PATIENCE: Duration = Duration::from_secs(120);

/// One machine takes no pods any more, and every chat node of the cluster is to go. The disruption budget lets one go
/// at a time.
pub async fn of_all(town: &Town) -> Result<()> {
    let nodes: Api<Node> = Api::all(town.world.client.clone());
    let closed = town.world.local.nodes.last().context("there are no nodes")?.name();
    nodes.cordon(&closed).await?;
    let evicted = evict_all(town, &closed).await;
    nodes.uncordon(&closed).await?;
    evicted
}

async fn evict_all(town: &Town, closed: &str) -> Result<()> {
    let client = town.world.target.access.plain_client().await?;
    let pods: Api<Pod> = Api::namespaced(client, &town.scene.namespace);
    let before = names(&town.pods().await?);
    let refused = AtomicUsize::new(0);
    for name in &before {
        eventually(&format!("{name} may be evicted"), PATIENCE, || async {
            match pods.evict(name, &EvictParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 429 => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    bail!("{}", status.message)
                }
                evicted => Ok(evicted.map(drop)?),
            }
        })
        .await?;
    }
    ensure!(refused.load(Ordering::Relaxed) > 0, "the disruption budget let all {} go at once", before.len());
    town.well(SIZE).await?;
    let after = town.pods().await?;
    ensure!(names(&after).is_disjoint(&before), "not all were evicted");
    let there: Vec<_> = after.iter().filter(|pod| node_of(pod) == Some(closed)).map(Pod::name_any).collect();
    ensure!(there.is_empty(), "{there:?} were put on {closed}, which takes none");
    Ok(())
}

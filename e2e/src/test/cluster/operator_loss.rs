//! The operator dies.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};

use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE, SYSTEM};
use crate::test::children;
use crate::test::world::{World, is_ready};

/// For a new pod, and for the lease of the old one to run out.
const PATIENCE: Duration = Duration::from_secs(90);
const OPERATOR: &str = "app.kubernetes.io/name=vibetalk-operator";

pub async fn replaced(world: Arc<World>) -> Result<()> {
    let before = children::fingerprint(&children::of(&world.client, DEMO_NAMESPACE, DEMO).await?);
    let pods_before = names(&world.pods(DEMO_NAMESPACE, DEMO).await?);
    let operators: Api<Pod> = Api::namespaced(world.client.clone(), SYSTEM);
    let params = ListParams::default().labels(OPERATOR);
    let old = names(&operators.list(&params).await?.items);
    ensure!(!old.is_empty(), "no operator runs");
    for name in &old {
        operators.delete(name, &DeleteParams::default().grace_period(0)).await?;
    }
    eventually("a new operator is ready", PATIENCE, || async {
        let now = operators.list(&params).await?.items;
        let fresh = now.iter().filter(|pod| is_ready(pod) && !old.contains(&pod.name_any())).count();
        ensure!(fresh == old.len(), "{:?}", names(&now));
        Ok(())
    })
    .await?;
    at_work(&world).await?;

    let after = children::fingerprint(&children::of(&world.client, DEMO_NAMESPACE, DEMO).await?);
    let differs: Vec<_> =
        before.iter().filter(|child| child.0 != "Service" && !after.contains(child)).collect();
    ensure!(differs.is_empty(), "the new operator changed {differs:?}");
    ensure!(names(&world.pods(DEMO_NAMESPACE, DEMO).await?) == pods_before, "chat nodes were replaced");
    Ok(())
}

/// The new operator does what the old one did, as one sees by a Service that it must make again.
async fn at_work(world: &World) -> Result<()> {
    let services: Api<Service> = Api::namespaced(world.client.clone(), DEMO_NAMESPACE);
    services.delete(DEMO, &DeleteParams::default()).await?;
    eventually("the new operator repairs", PATIENCE, || async { Ok(services.get(DEMO).await?) }).await?;
    Ok(())
}

fn names(pods: &[Pod]) -> Vec<String> {
    let mut names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
    names.sort();
    names
}

//! The operator dies.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams};

use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE};
use crate::test::children;
use crate::test::operators::Operators;
use crate::test::world::World;

/// For the lease of the old one to run out.
const PATIENCE: Duration = Duration::from_secs(90);

pub async fn replaced(world: Arc<World>) -> Result<()> {
    let before = children::fingerprint(&children::of(&world.client, DEMO_NAMESPACE, DEMO).await?);
    let pods_before = names(&world.pods(DEMO_NAMESPACE, DEMO).await?);
    let operators = Operators::find(&world).await?;
    operators.remove().await?;
    operators.replaced().await?;
    at_work(&world).await?;

    let after = children::fingerprint(&children::of(&world.client, DEMO_NAMESPACE, DEMO).await?);
    let differs: Vec<_> =
        before.iter().filter(|child| child.0 != "Service" && !after.contains(child)).collect();
    ensure!(differs.is_empty(), "the new operator changed {differs:?}");
    ensure!(names(&world.pods(DEMO_NAMESPACE, DEMO).await?) == pods_before, "chat nodes were replaced");
    Ok(())
}

/// The new operator does what the old one did, as one sees by a Service that it must make again.
pub async fn at_work(world: &World) -> Result<()> {
    let services: Api<Service> = Api::namespaced(world.client.clone(), DEMO_NAMESPACE);
    services.delete(DEMO, &DeleteParams::default()).await?;
    eventually("the new operator repairs", PATIENCE, || async { Ok(services.get(DEMO).await?) }).await?;
    Ok(())
}

/// The names of pods, in order.
pub fn names(pods: &[Pod]) -> Vec<String> {
    let mut names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
    names.sort();
    names
}

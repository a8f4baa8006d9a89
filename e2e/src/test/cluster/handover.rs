//! One operator leaves, the other takes over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, DeleteParams};

use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE, SYSTEM};
use crate::test::operators::Operators;
use crate::test::world::World;

/// Name of the Lease.
const LEASE: &str = "vibetalk-operator";
/// Far less than the 15 s after which a lease runs out by itself.
const AT_ONCE: Duration = Duration::from_secs(5);
/// For a lease that was lost earlier.
const PATIENCE: Duration = Duration::from_secs(45);
const GLANCE: Duration = Duration::from_millis(20);

pub async fn at_once(world: Arc<World>) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), SYSTEM);
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), SYSTEM);
    let leader = eventually("an operator leads", PATIENCE, || async {
        let leader = holder(&leases).await?.context("nobody does")?;
        pods.get(&leader).await.with_context(|| format!("{leader} is said to lead"))?;
        Ok(leader)
    })
    .await?;
    let operators = Operators::find(&world).await?;
    pods.delete(&leader, &DeleteParams::default()).await?;
    let told = Instant::now();
    let next = tokio::time::timeout(PATIENCE, next_after(&leases, &leader)).await;
    let next = next.with_context(|| format!("nobody has taken over from {leader} in {PATIENCE:?}"))??;
    let led = told.elapsed();
    let services: Api<Service> = Api::namespaced(world.client.clone(), DEMO_NAMESPACE);
    services.delete(DEMO, &DeleteParams::default()).await?;
    eventually("the next operator repairs", PATIENCE, || async { Ok(services.get(DEMO).await?) }).await?;
    println!("    {next} leads after {:.2} s", led.as_secs_f64());
    ensure!(led <= AT_ONCE, "{next} led only {led:?} after {leader} was told to end");
    operators.replaced_one(&leader).await
}

async fn next_after(leases: &Api<Lease>, leader: &str) -> Result<String> {
    loop {
        if let Some(next) = holder(leases).await?.filter(|next| next != leader) {
            return Ok(next);
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Who leads.
async fn holder(leases: &Api<Lease>) -> Result<Option<String>> {
    let holder = leases.get(LEASE).await?.spec.and_then(|spec| spec.holder_identity);
    Ok(holder.filter(|holder| !holder.is_empty()))
}

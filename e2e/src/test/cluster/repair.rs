//! What others delete, the operator makes again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use crds::exchange::ClusterKey;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams};

use crate::client::OFFICIAL;
use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE};
use crate::test::world::World;

/// The operator looks at the broker every 10 s; the rest is for a busy machine.
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// A watch tells it of objects in Kubernetes.
const AT_ONCE: Duration = Duration::from_secs(3);

pub async fn exchange(world: Arc<World>) -> Result<()> {
    let prefix = ClusterKey::new(DEMO_NAMESPACE, DEMO).prefix();
    let before = world.broker.exchanges(&prefix).await?;
    let partitions = usize::from(world.demo().await?.spec.rabbitmq.partitions);
    ensure!(before.len() == partitions + 1, "the exchanges are {before:?}");
    ensure!(before.iter().all(|exchange| exchange.durable), "not all are durable: {before:?}");
    let direct = before.iter().filter(|exchange| exchange.kind == "direct").count();
    ensure!(direct == partitions, "{direct} of {partitions} partitions are direct exchanges");

    let victim = ClusterKey::new(DEMO_NAMESPACE, DEMO).partition(1, 0);
    world.broker.delete_exchange(&victim).await?;
    eventually("the exchange is back", POLL_INTERVAL, || async {
        let now = world.broker.exchanges(&victim).await?;
        ensure!(now.iter().any(|exchange| exchange.name == victim && exchange.kind == "direct"), "it is not");
        Ok(())
    })
    .await?;
    let ada = world.sign_in("ada").await?;
    let bob = world.sign_in_elsewhere("bob", &[ada.server()?]).await?;
    let text = format!("after the exchange was deleted {:08x}", fastrand::u32(..));
    ada.send(OFFICIAL, &text).await?;
    bob.receives(&text).await?;
    bob.check()
}

pub async fn service(world: Arc<World>) -> Result<()> {
    let services: Api<Service> = Api::namespaced(world.client.clone(), DEMO_NAMESPACE);
    let before = services.get(DEMO).await?.metadata.uid;
    services.delete(DEMO, &DeleteParams::default()).await?;
    let deleted = Instant::now();
    let after =
        eventually("the Service is back", AT_ONCE, || async { Ok(services.get(DEMO).await?) }).await?;
    ensure!(after.metadata.uid != before, "the Service was never gone");
    println!("    back after {} ms", deleted.elapsed().as_millis());
    let ada = eventually("users can sign in again", Duration::from_secs(45), || world.sign_in("ada")).await?;
    ada.send(OFFICIAL, "after the Service was deleted").await.context("the new Service leads nowhere")?;
    Ok(())
}

//! `kubectl delete vtc`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::eventually::eventually;
use crate::product::{Broker, credentials};
use crate::test::children;
use crate::test::scene::Scene;
use crate::test::world::World;

/// For the operator to remove the exchanges.
const PATIENCE: Duration = Duration::from_secs(45);
/// For the operator to give up a broker that does not answer.
const WITHOUT_BROKER: Duration = Duration::from_secs(120);

pub async fn complete(world: Arc<World>) -> Result<()> {
    let scene = Scene::open(&world, "vibetalk-test-deletion").await?;
    let changes =
        json!({ "exposure": { "ingress": { "className": "nginx", "host": "gone.vibetalk.test" } } });
    scene.apply("gone", changes).await?;
    scene.ready("gone").await?;
    let prefix = scene.exchange_prefix("gone");
    ensure!(
        world.broker.exchanges(&prefix).await?.len() == 3,
        "2 partitions and a control exchange expected"
    );

    scene.delete("gone", PATIENCE).await?;
    let left = world.broker.exchanges(&prefix).await?;
    ensure!(left.is_empty(), "exchanges are left: {left:?}");
    eventually("the objects and pods are gone", Duration::from_secs(90), || async {
        let children = children::of(&world.client, &scene.namespace, "gone").await?;
        ensure!(children.is_empty(), "left: {:?}", children::fingerprint(&children));
        let pods = world.pods(&scene.namespace, "gone").await?;
        ensure!(pods.is_empty(), "{} pods are left", pods.len());
        Ok(())
    })
    .await?;
    scene.close().await
}

pub async fn without_broker(world: Arc<World>) -> Result<()> {
    let scene = Scene::open(&world, "vibetalk-test-no-broker").await?;
    scene.apply("stuck", json!({})).await?;
    scene.ready("stuck").await?;
    let broker = &world.target.backends.broker;
    // Port 1 of the pod's own loopback: nobody listens.
    let nowhere = Broker {
        host: "127.0.0.1".to_owned(),
        port: 1,
        management: "http://127.0.0.1:1".to_owned(),
        ..broker.clone()
    };
    credentials::set_broker(&world.client, &scene.namespace, &nowhere).await?;
    scene.delete("stuck", WITHOUT_BROKER).await?;
    let left = world.broker.exchanges(&scene.exchange_prefix("stuck")).await?;
    for exchange in left {
        world.broker.delete_exchange(&exchange.name).await?;
    }
    scene.close().await
}

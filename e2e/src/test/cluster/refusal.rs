//! Bad resources.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::condition::{ConditionType, Reason};
use serde_json::{Value, json};

use crate::client::OFFICIAL;
use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE, example};
use crate::test::scene::Scene;
use crate::test::world::World;

pub async fn by_schema(world: Arc<World>) -> Result<()> {
    let scene = Scene::open(&world, "vibetalk-test-refusal").await?;
    let cases = [
        (json!({ "rabbitmq": { "partitions": 0 } }), "spec.rabbitmq.partitions"),
        (json!({ "colour": "blue" }), "spec.colour"),
        (json!({ "replicas": -1 }), "spec.replicas"),
        (json!({ "replicas": 3, "autoscaling": { "minReplicas": 4, "maxReplicas": 3 } }), "minReplicas"),
    ];
    for (changes, field) in cases {
        let error = kubectl_apply(&world, &scene.manifest("bad", changes)).await.err();
        let error = error.with_context(|| format!("a bad {field} was taken"))?.to_string();
        ensure!(error.contains(field), "the refusal does not name {field}: {error}");
    }
    ensure!(scene.clusters().get_opt("bad").await?.is_none(), "a refused cluster exists");
    scene.close().await
}

pub async fn missing_secret(world: Arc<World>) -> Result<()> {
    let scene = Scene::open(&world, "vibetalk-test-secret").await?;
    scene.apply("bad", json!({ "mongodb": { "secretRef": { "name": "nobody" } } })).await?;
    let message = eventually("the missing Secret is reported", Duration::from_secs(30), || async {
        let status = scene.clusters().get("bad").await?.status.context("no status yet")?;
        let kind = ConditionType::Ready.to_string();
        let ready = status.conditions.into_iter().find(|condition| condition.type_ == kind);
        let ready = ready.context("no condition Ready yet")?;
        ensure!(ready.status == "False", "Ready is {}", ready.status);
        ensure!(ready.reason == Reason::SecretMissing.to_string(), "the reason is {}", ready.reason);
        Ok(ready.message)
    })
    .await?;
    ensure!(message.contains("spec.mongodb.secretRef"), "the message names no field: {message}");
    ensure!(message.contains("nobody"), "the message does not name the Secret: {message}");

    scene.apply("good", json!({})).await?;
    scene.ready("good").await.context("a bad cluster beside it keeps a good one from starting")?;
    example::ready(&world.client, DEMO_NAMESPACE, DEMO).await?;
    world.sign_in("ada").await?.send(OFFICIAL, "the others still talk").await?;
    scene.close().await
}

/// `kubectl apply`, as users do it: it refuses unknown fields.
async fn kubectl_apply(world: &World, object: &Value) -> Result<String> {
    world.target.access.kubectl(["apply", "--filename", "-"]).input(object.to_string()).output().await
}

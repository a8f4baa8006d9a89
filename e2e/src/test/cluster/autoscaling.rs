//! The autoscaler.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::Api;
use serde_json::json;

use crate::eventually::eventually;
use crate::test::scene::Scene;
use crate::test::world::World;
use crate::traffic::{Crowd, Manner};

const NAME: &str = "busy";
const HOST: &str = "busy.vibetalk.test";
/// They talk as fast as they are let.
const MANNER: Manner = Manner { users: 24, in_group: 0, pause: Duration::from_millis(2) };
/// Of so small a request that idling stays below it and chatting does not.
const TARGET: i32 = 40;
/// For metrics to be gathered and the autoscaler to look.
const PATIENCE: Duration = Duration::from_secs(150);

pub async fn by_cpu(world: Arc<World>) -> Result<()> {
    let scene = Scene::open(&world, "vibetalk-test-load").await?;
    let outcome = scaled(&world, &scene).await;
    if outcome.is_ok() {
        scene.close().await?;
    }
    outcome
}

async fn scaled(world: &World, scene: &Scene) -> Result<()> {
    let changes = json!({
        "autoscaling": { "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilization": TARGET },
        "exposure": { "ingress": { "className": "nginx", "host": HOST } },
        "pod": { "resources": { "requests": { "cpu": "20m", "memory": "64Mi" }, "limits": { "memory": "512Mi" } } },
    });
    scene.apply(NAME, changes).await?;
    scene.ready(NAME).await?;
    let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(world.client.clone(), &scene.namespace);
    let idle = eventually("the autoscaler measures an idle cluster below its target", PATIENCE, || async {
        let use_now = utilization(&autoscalers.get(NAME).await?).context("no measurement yet")?;
        ensure!(use_now < TARGET, "{use_now} % of the request");
        Ok(use_now)
    })
    .await?;
    let replicas = scene.clusters().get(NAME).await?.spec.replicas;
    ensure!(replicas == Some(1), "idle at {idle} %, yet {replicas:?} replicas are wanted");

    let place = scene.place(HOST).await?;
    let mut crowd = Crowd::gather(&place, MANNER).await?;
    let grown = eventually("the autoscaler asks for more and the new chat nodes serve", PATIENCE, || async {
        let cluster = scene.clusters().get(NAME).await?;
        let ready = cluster.status.map_or(0, |status| status.ready_replicas);
        let wanted = cluster.spec.replicas.unwrap_or(0);
        let use_now = utilization(&autoscalers.get(NAME).await?);
        if wanted < 2 || ready < 2 {
            bail!("{wanted} wanted, {ready} ready, CPU at {use_now:?} % of the request");
        }
        Ok(())
    });
    let grown = grown.await;
    let judged = place.judge(&mut crowd).await;
    grown?;
    judged.map(drop).context("while the cluster grew")
}

/// Measured CPU use in percent of the request.
fn utilization(autoscaler: &HorizontalPodAutoscaler) -> Option<i32> {
    let metrics = autoscaler.status.as_ref()?.current_metrics.as_ref()?;
    metrics.iter().find_map(|metric| metric.resource.as_ref()?.current.average_utilization)
}

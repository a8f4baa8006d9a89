//! What is there once the example is ready.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use crds::condition::ConditionType;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::product::{DEMO, DEMO_NAMESPACE, example};
use crate::test::children;
use crate::test::world::World;

pub async fn columns(world: Arc<World>) -> Result<()> {
    let cluster = example::ready(&world.client, DEMO_NAMESPACE, DEMO).await?;
    let conditions = cluster.status.map(|status| status.conditions).unwrap_or_default();
    let types: Vec<&str> = conditions.iter().map(|condition| condition.type_.as_str()).collect();
    ensure!(types == ConditionType::ALL.map(|kind| kind.to_string()), "conditions are {types:?}");

    let table =
        world.target.access.kubectl(["get", "vtc", DEMO, "--namespace", DEMO_NAMESPACE]).output().await?;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let [titles, row] = lines.as_slice() else { anyhow::bail!("kubectl printed\n{table}") };
    let wanted = ["NAME", "READY", "REPLICAS", "PARTITIONS", "ROUTING", "URL", "AGE"];
    ensure!(*titles == wanted, "titles are {titles:?}");
    let replicas = cluster.spec.replicas.unwrap_or(2).to_string();
    let partitions = cluster.spec.rabbitmq.partitions.to_string();
    ensure!(row.len() == titles.len(), "the row is {row:?}");
    ensure!(row[..4] == [DEMO, "True", &replicas, &partitions], "the row is {row:?}");
    ensure!(row[5].starts_with("http://"), "the URL is {}", row[5]);
    Ok(())
}

pub async fn ownership(world: Arc<World>) -> Result<()> {
    let cluster = world.demo().await?;
    let children = children::of(&world.client, DEMO_NAMESPACE, DEMO).await?;
    let kinds = ["NetworkPolicy", "PodDisruptionBudget", "Ingress"];
    for kind in ["Deployment", "Service", "ConfigMap", "ServiceAccount"].into_iter().chain(kinds) {
        let (_, object) =
            children.iter().find(|(other, _)| *other == kind).with_context(|| format!("no {kind}"))?;
        ensure!(object.name_any() == DEMO, "the {kind} is named {}", object.name_any());
        let owner = object.owner_references().first().with_context(|| format!("{kind} has no owner"))?;
        ensure!(Some(&owner.uid) == cluster.meta().uid.as_ref(), "{kind} belongs to {owner:?}");
        ensure!(owner.controller == Some(true), "the example does not control its {kind}");
    }
    restricted(&world).await
}

/// The namespace refuses a pod that is not restricted, so those that run in it are.
async fn restricted(world: &World) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let namespace = namespaces.get(DEMO_NAMESPACE).await?;
    let level = namespace.labels().get("pod-security.kubernetes.io/enforce");
    ensure!(level.map(String::as_str) == Some("restricted"), "the namespace enforces {level:?}");
    let loose: Pod = serde_json::from_value(json!({
        "metadata": { "name": "loose" },
        "spec": { "containers": [{ "name": "loose", "image": "localhost/loose:1" }] },
    }))?;
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), DEMO_NAMESPACE);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let refused = pods.create(&dry_run, &loose).await.err().context("an unrestricted pod was taken")?;
    ensure!(refused.to_string().contains("restricted"), "refused for another reason: {refused}");
    let running = world.pods(DEMO_NAMESPACE, DEMO).await?;
    ensure!(!running.is_empty(), "the example has no pods");
    Ok(())
}

//! The example `VibeTalkCluster`.

use std::time::Duration;

use anyhow::{Context, Result};
use crds::VibeTalkCluster;
use crds::condition::ConditionType;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;

use super::{DEMO, DEMO_NAMESPACE, Target, diagnosis};
use crate::eventually::eventually;

/// How long the chat nodes may take to roll.
const DEADLINE: Duration = Duration::from_secs(180);

/// Applies the example; back when it is ready with the target's image.
pub async fn apply(target: &Target, client: &kube::Client) -> Result<()> {
    let file = target.paths.tree.join("crds/examples/demo.yaml");
    let file = file.to_string_lossy();
    target.access.kubectl(["apply", "--namespace", DEMO_NAMESPACE, "--filename", &file]).output().await?;
    let ready = eventually("the example is ready", DEADLINE, || async {
        rolled(client, &target.images.chat_node).await?;
        ready(client, DEMO_NAMESPACE, DEMO).await
    });
    match ready.await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.context(diagnosis::of_namespace(client, DEMO_NAMESPACE).await)),
    }
}

/// The cluster, if its condition `Ready` is true for the spec as it is now; else an error that says why not.
pub async fn ready(client: &kube::Client, namespace: &str, name: &str) -> Result<VibeTalkCluster> {
    let clusters: Api<VibeTalkCluster> = Api::namespaced(client.clone(), namespace);
    let cluster = clusters.get(name).await?;
    let status = cluster.status.as_ref().context("no status yet")?;
    if status.observed_generation != cluster.metadata.generation {
        anyhow::bail!("the operator has not seen the last change");
    }
    let kind = ConditionType::Ready.to_string();
    let condition = status.conditions.iter().find(|condition| condition.type_ == kind);
    let condition = condition.context("no condition Ready yet")?;
    if condition.status != "True" {
        anyhow::bail!("Ready is {}: {}: {}", condition.status, condition.reason, condition.message);
    }
    Ok(cluster)
}

/// An error as long as not all pods of the example run `image`.
async fn rolled(client: &kube::Client, image: &str) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), DEMO_NAMESPACE);
    let deployment = deployments.get(DEMO).await?;
    let spec = deployment.spec.context("the Deployment has no spec")?;
    let status = deployment.status.unwrap_or_default();
    let pod = spec.template.spec.unwrap_or_default();
    let wanted = pod.containers.first().and_then(|container| container.image.as_deref());
    if wanted != Some(image) {
        anyhow::bail!("the Deployment still has the image {}", wanted.unwrap_or("(none)"));
    }
    let count = |number: Option<i32>| number.unwrap_or(0);
    let (all, updated) = (count(status.replicas), count(status.updated_replicas));
    if status.observed_generation != deployment.metadata.generation || all != updated {
        anyhow::bail!("{updated} of {all} pods run {image}");
    }
    Ok(())
}

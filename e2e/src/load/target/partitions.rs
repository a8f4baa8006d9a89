//! Another number of partitions of the example, by its operator.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::VibeTalkCluster;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE, example};

/// How long the operator may take.
const CHANGED_WITHIN: Duration = Duration::from_secs(180);

/// Back when the operator says that the chat nodes use so many partitions, and nothing else.
pub async fn change(client: &Client, partitions: u16) -> Result<()> {
    let clusters: Api<VibeTalkCluster> = Api::namespaced(client.clone(), DEMO_NAMESPACE);
    let patch = Patch::Merge(json!({ "spec": { "rabbitmq": { "partitions": partitions } } }));
    clusters.patch(DEMO, &PatchParams::default(), &patch).await.context("the example cannot be changed")?;
    let look = || async {
        let topology =
            example::ready(client, DEMO_NAMESPACE, DEMO).await?.status.and_then(|now| now.topology);
        let topology = topology.context("the operator says nothing of partitions")?;
        let is_there = topology.partitions == partitions && topology.step.is_none();
        ensure!(is_there, "the example has {} partitions, step {:?}", topology.partitions, topology.step);
        Ok(())
    };
    eventually("the example has other partitions", CHANGED_WITHIN, look).await
}

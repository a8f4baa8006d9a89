//! Another number of partitions of the example, by its operator.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::LocalCluster;
use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE, example};

/// How long the operator may take.
const CHANGED_WITHIN: Duration = Duration::from_secs(180);

impl LocalCluster {
    /// Back when the operator says that the chat nodes use so many partitions, and nothing else.
    pub async fn repartition(&self, partitions: u16) -> Result<()> {
        self.merge(&json!({ "rabbitmq": { "partitions": partitions } })).await?;
        let look = || async {
            let example = example::ready(&self.client, DEMO_NAMESPACE, DEMO).await?;
            let topology = example.status.and_then(|now| now.topology);
            let topology = topology.context("the operator says nothing of partitions")?;
            let is_there = topology.partitions == partitions && topology.step.is_none();
            ensure!(is_there, "the example has {} partitions, step {:?}", topology.partitions, topology.step);
            Ok(())
        };
        eventually("the example has other partitions", CHANGED_WITHIN, look).await
    }
}

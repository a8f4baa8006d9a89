//! Another number of partitions while the nodes run, in the operator's steps.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use crds::topology::TOPOLOGY_PATH;
use crds::{NodeConfig, NodeReport, TopologyOrder, TopologyPlan};
use reqwest::Method;

use super::{ANSWERED_WITHIN, ChatNode, Fleet, cluster, declare_partitions, write};
use crate::eventually::eventually;

/// How long all nodes may take to be as a step wants them.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(60);
/// How long the broker may take to delete an exchange.
const DELETED_WITHIN: Duration = Duration::from_secs(30);

impl Fleet {
    /// Back when the nodes use so many partitions only, and nothing is left of the others.
    pub async fn repartition(&self, partitions: u16) -> Result<()> {
        let old = self.settings()?.topology.check()?;
        let new = TopologyPlan { epoch: old.epoch + 1, partitions, ..old };
        declare_partitions(&self.site, self.variant, new).await?;
        let both = |publish| TopologyOrder { listen: vec![old, new], publish };
        for order in [both(old.epoch), both(new.epoch), TopologyOrder::of(new)] {
            self.lead(order).await?;
        }
        self.delete(old).await
    }

    /// Lets all nodes follow an order, also those that start later.
    async fn lead(&self, order: TopologyOrder) -> Result<()> {
        let settings = NodeConfig { topology: order.clone(), ..self.settings()? };
        write(&self.directory.join("config.yaml"), serde_yaml::to_string(&settings)?)?;
        let what = format!("all nodes follow {order:?}");
        let tell = || async {
            for node in &self.nodes {
                node.follows(&order).await?;
            }
            Ok(())
        };
        eventually(&what, FOLLOWED_WITHIN, tell).await
    }

    async fn delete(&self, plan: TopologyPlan) -> Result<()> {
        let (cluster, vhost) = (cluster(self.variant), self.variant.name);
        for partition in 0..plan.partitions {
            let path =
                format!("exchanges/{vhost}/{}?if-unused=true", cluster.partition(plan.epoch, partition));
            let delete = || self.site.manage_with(1, Method::DELETE, (&path, None));
            eventually(&format!("{path} is deleted"), DELETED_WITHIN, delete).await?;
        }
        Ok(())
    }

    fn settings(&self) -> Result<NodeConfig> {
        Ok(serde_yaml::from_str(&fs::read_to_string(self.directory.join("config.yaml"))?)?)
    }
}

impl ChatNode {
    /// Tells it an order; an error as long as it does not follow it.
    async fn follows(&self, order: &TopologyOrder) -> Result<()> {
        let url = format!("http://{}{TOPOLOGY_PATH}", self.admin);
        let request = reqwest::Client::new().put(&url).timeout(ANSWERED_WITHIN).json(order);
        let report: NodeReport = request.send().await?.error_for_status()?.json().await?;
        let (mut epochs, publishing) = (report.epochs, report.publishing);
        epochs.sort_unstable();
        let wanted: Vec<u32> = order.listen.iter().map(|plan| plan.epoch).collect();
        let part = &self.daemon.part;
        ensure!(
            epochs == wanted && publishing == Some(order.publish),
            "{part} listens to {epochs:?} and publishes to {publishing:?}"
        );
        Ok(())
    }
}

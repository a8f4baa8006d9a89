//! One combination of queues and routing, and all that is measured of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use crds::{QueueType, RoutingMode};
use serde::Serialize;

use crate::binding::{self, Binding};
use crate::broker::Broker;
use crate::brokers::{Address, Brokers};
use crate::cpu::{Cpu, Idle};
use crate::deletion::{self, Deletion};
use crate::flood::{self, Flood};
use crate::kill::{self, Kill};
use crate::pace::{self, Paced};
use crate::town::{Kind, NODES, Town};

/// The results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Study {
    /// Nodes of the broker.
    pub brokers: usize,
    /// What RabbitMQ says that it is.
    pub version: Option<String>,
    pub cells: Vec<Cell>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    queue: QueueType,
    routing: RoutingMode,
    /// Absent if this routing binds nobody.
    binding: Option<Binding>,
    deletion: Deletion,
    direct: Talk,
    group: Talk,
    /// Absent if no broker may be killed.
    kill: Option<Kill>,
}

/// What is said in channels of one kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Talk {
    #[serde(flatten)]
    paced: Paced,
    #[serde(flatten)]
    flood: Flood,
}

/// A while in which nothing is said, but everything is there.
const QUIET: Duration = Duration::from_secs(3);

impl Cell {
    pub async fn measure(brokers: &Brokers, queue: QueueType, routing: RoutingMode) -> Result<Self> {
        let broker = Broker::at(brokers.uri(0), routing).with_queues(queue);
        broker.declare().await;
        let ways: Vec<Address> = (0..NODES).map(|node| brokers.of(node).clone()).collect();
        let town = Arc::new(Town::settle(&broker, &ways).await?);
        // What has just been bound keeps the brokers busy a little longer.
        tokio::time::sleep(QUIET / 2).await;
        let idle = Cpu::of(brokers).await.idle(QUIET).await;
        let direct = Talk::of(&town, Kind::Direct, &idle).await?;
        let group = Talk::of(&town, Kind::Group, &idle).await?;
        let (crowd, binding) = binding::measure(&broker, brokers).await?;
        let deletion = deletion::measure(brokers, &town, crowd).await?;
        town.leave().await;
        let kill = kill::measure(&broker, brokers).await?;
        broker.delete().await;
        Ok(Self { queue, routing, binding, deletion, direct, group, kill })
    }
}

impl Talk {
    async fn of(town: &Arc<Town>, kind: Kind, idle: &Idle) -> Result<Self> {
        let paced = pace::measure(town, kind, idle).await?;
        Ok(Self { paced, flood: flood::measure(town, kind, idle).await? })
    }
}

//! Three chat nodes on a RabbitMQ and a store of their own, without Kubernetes.

use std::path::Path;

use anyhow::{Result, bail};
use crds::{ClientLimits, QueueType, RoutingMode};

use super::{Service, Started};
use crate::fleet::{Fleet, Terms, Variant};
use crate::load::generator::Way;
use crate::load::meter::{Processes, Role};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::site::{self, Member, Site};

const BROKERS: u8 = 1;
const VARIANT: Variant = Variant { name: "load", routing: RoutingMode::User, queue: QueueType::Classic };

/// A running fleet.
pub struct LocalFleet {
    site: Site,
    fleet: Fleet,
    _lock: Lock,
}

impl LocalFleet {
    /// Builds it from what an earlier run left, or from nothing.
    pub async fn start(paths: &Paths, progress: &Progress, program: &Path) -> Result<Self> {
        if let Some(hindrance) = site::hindrance() {
            bail!("there can be no fleet here: {hindrance}");
        }
        let lock = Lock::take(paths)?;
        site::prepare(paths, progress).await?;
        let build = Site::build(paths, site::LOAD, BROKERS);
        let site = progress.step("start RabbitMQ and the store", build).await?;
        let terms = Terms { place: 0, variant: VARIANT, limits: limits() };
        match progress.step("start three chat nodes", Fleet::start(&site, program, terms)).await {
            Ok(fleet) => Ok(Self { site, fleet, _lock: lock }),
            Err(error) => {
                site.end().await?;
                Err(error)
            }
        }
    }

    /// The service that it is. Users go to the nodes themselves: what stands before them would be measured too.
    pub fn service(self) -> Service {
        let nodes = self.fleet.nodes();
        let servers = nodes.iter().map(|node| (Role::Server, node.daemon.clone()));
        let brokers = (1..=BROKERS).map(|number| (Role::Broker, self.site.daemon_of(Member::Broker(number))));
        let stores = [Member::Database, Member::Ferretdb].map(|one| (Role::Store, self.site.daemon_of(one)));
        let all = servers.chain(brokers).chain(stores);
        Service {
            way: Way {
                addresses: nodes.iter().map(|node| node.chat).collect(),
                host: self.fleet.gateway.host.clone(),
            },
            key: self.fleet.key.clone(),
            watched: all.map(|(role, daemon)| (role, Processes::Of(daemon))).collect(),
            versions: Vec::new(),
            keeps_apart: false,
            started: Started::Fleet(Box::new(self)),
        }
    }

    /// Ends it with all its data.
    pub async fn end(self) -> Result<()> {
        drop(self.fleet);
        self.site.end().await
    }
}

/// A run decides itself how much is asked for.
fn limits() -> ClientLimits {
    let most = Some(*ClientLimits::BOUNDS.end());
    ClientLimits {
        connections_per_node: most,
        connections_per_user: None,
        connections_per_address: most,
        commands_per_minute: most,
        user_requests_per_minute: most,
        address_requests_per_minute: most,
    }
}

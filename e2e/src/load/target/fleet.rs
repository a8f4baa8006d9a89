//! Three chat nodes on a RabbitMQ and a store of their own, without Kubernetes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use crds::{QueueType, RoutingMode};

use super::{Service, Started, limits};
use crate::args::{FleetOptions, Queue, Routing};
use crate::fleet::{Clocks, Fleet, Terms, Variant};
use crate::load::generator::Way;
use crate::load::meter::{Processes, Role};
use crate::load::profile::{Deed, Fault, Profile};
use crate::lock::Lock;
use crate::offset::Offset;
use crate::packages;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::site::{self, Member, Site};

/// A running fleet.
pub struct LocalFleet {
    site: Site,
    fleet: Fleet,
    _lock: Lock,
}

impl LocalFleet {
    /// Builds it from what an earlier run left, or from nothing.
    pub async fn start(
        (paths, progress): (&Paths, &Progress),
        program: &Path,
        (options, profile): (&FleetOptions, &Profile),
    ) -> Result<Self> {
        if let Some(hindrance) = site::hindrance() {
            bail!("there can be no fleet here: {hindrance}");
        }
        let lock = Lock::take(paths)?;
        site::prepare(paths, progress).await?;
        let clocks = clocks(profile);
        if clocks == Clocks::Settable {
            packages::ensure(paths, progress, &packages::CLOCK).await?;
        }
        let build = Site::build(paths, site::LOAD, options.brokers);
        let site = progress.step("start RabbitMQ and the store", build).await?;
        let terms = Terms { place: 0, variant: variant(options), limits: limits(), clocks };
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
        let brokers =
            self.site.brokers().map(|number| (Role::Broker, self.site.daemon_of(Member::Broker(number))));
        let stores = [Member::Database, Member::Ferretdb].map(|one| (Role::Store, self.site.daemon_of(one)));
        let all = servers.chain(brokers).chain(stores);
        Service {
            way: Way::plain(nodes.iter().map(|node| node.chat).collect(), self.fleet.gateway.host.clone()),
            key: self.fleet.key.clone(),
            watched: all.map(|(role, daemon)| (role, Processes::Of(daemon))).collect(),
            versions: vec![("fleet".to_owned(), format!("{:?}", self.fleet.variant))],
            keeps_apart: false,
            started: Started::Fleet(Box::new(self)),
        }
    }

    /// What it stands on.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Does something to it; back when that is over.
    pub async fn harm(&self, fault: Fault, lasts: Duration) -> Result<()> {
        match fault {
            Fault::KillNode => self.fleet.kill(0, lasts).await,
            Fault::ReplaceNodes => {
                for number in 0..self.fleet.nodes().len() {
                    self.fleet.replace(number).await?;
                }
                Ok(())
            }
            Fault::KillBroker => self.kill(Member::Broker(1), lasts).await,
            Fault::KillStore => self.kill(Member::Ferretdb, lasts).await,
            Fault::HangBroker => self.hang(Member::Broker(1), lasts).await,
            Fault::HangStore => self.hang(Member::Ferretdb, lasts).await,
            Fault::BlockBroker => {
                self.site.block(1, true).await?;
                tokio::time::sleep(lasts).await;
                self.site.block(1, false).await
            }
        }
    }

    /// Lets the clock of a chat node be off for a while; back when that is over.
    pub async fn step_clock(&self, by: Offset, lasts: Duration) -> Result<()> {
        self.fleet.step_clock(by, lasts).await
    }

    /// Changes the number of partitions; back when that is over.
    pub async fn repartition(&self, partitions: u16) -> Result<()> {
        self.fleet.repartition(partitions).await
    }

    async fn kill(&self, member: Member, lasts: Duration) -> Result<()> {
        self.site.kill(member).await?;
        tokio::time::sleep(lasts).await;
        self.site.start(member).await
    }

    async fn hang(&self, member: Member, lasts: Duration) -> Result<()> {
        self.site.pause(member)?;
        tokio::time::sleep(lasts).await;
        self.site.resume(member)
    }

    /// Ends it with all its data.
    pub async fn end(self) -> Result<()> {
        drop(self.fleet);
        self.site.end().await
    }
}

/// A clock that can be set costs time whenever it is asked.
fn clocks(profile: &Profile) -> Clocks {
    let steps = profile.deeds().iter().any(|(_, deed)| matches!(deed, Deed::StepClock(..)));
    if steps { Clocks::Settable } else { Clocks::Machine }
}

fn variant(options: &FleetOptions) -> Variant {
    let routing = match options.routing {
        Routing::User => RoutingMode::User,
        Routing::Channel => RoutingMode::Channel,
        Routing::Static => RoutingMode::Static,
    };
    let queue = match options.queue {
        Queue::Classic => QueueType::Classic,
        Queue::Quorum => QueueType::Quorum,
    };
    Variant { name: "load", routing, queue }
}

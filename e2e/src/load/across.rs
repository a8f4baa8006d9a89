//! Direct channels whose two users are at different chat nodes of a fleet.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use super::cast::Cast;
use super::files;
use super::meter::{Processes, Role};
use super::profile::Profile;
use super::report::{About, Report, Traffic};
use super::surroundings::Surroundings;
use super::target::{LocalFleet, Service};
use crate::args::{FleetOptions, Queue, Routing};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::release;
use crate::site::Site;

/// Chat nodes that users connect to.
const NODES: usize = 2;
/// What is said.
const PROFILE: &str = "{description: 100 direct channels between two chat nodes, users: 200, \
    direct: {pairs: 100, messagesPerSecond: 200}, warmUp: 3s, duration: 30s}";

/// A fleet, and what is said on it.
pub struct Across {
    service: Service,
    site: Site,
    profile: Profile,
}

impl Across {
    /// Starts a fleet on one RabbitMQ node and a store.
    pub async fn start((paths, progress): (&Paths, &Progress)) -> Result<Self> {
        let profile = Profile::parse(PROFILE)?;
        files::allow(profile.users)?;
        let program = release::build(paths, progress, &["chat-node"]).await?.join("chat-node");
        let options = FleetOptions { routing: Routing::Channel, queue: Queue::Classic, brokers: 1 };
        let fleet = LocalFleet::start((paths, progress), &program, (&options, &profile)).await?;
        let site = fleet.site().clone();
        let mut service = fleet.service();
        service.way.addresses.truncate(NODES);
        Ok(Self { service, site, profile })
    }

    /// Lets the users talk, of whom each two are at different nodes; fails if anything happened that must not.
    pub async fn talk(&self, progress: &Progress) -> Result<Traffic> {
        let began = Timestamp::now();
        let cast = Cast::neighbours(self.profile.users);
        let outcome = super::on(&self.service, (&self.profile, &cast, began), progress).await?;
        let about = About {
            name: "two-nodes".to_owned(),
            target: "fleet".to_owned(),
            began: began.to_string(),
            profile: self.profile.clone(),
            surroundings: Surroundings::default(),
        };
        let report = Report::new(about, outcome);
        ensure!(report.is_clean(), "something happened that must not:\n{report}");
        let came_once = report.counts.sign_ins == u64::from(self.profile.users);
        ensure!(came_once, "who came again may be at the other's node:\n{report}");
        report.traffic.context("nothing was said")
    }

    /// What is said.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What the fleet stands on.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The processes of the fleet and of what it stands on.
    pub fn watched(&self) -> Vec<(Role, Processes)> {
        self.service.watched.clone()
    }

    /// Ends it with all its data.
    pub async fn end(self) -> Result<()> {
        self.service.close().await
    }
}

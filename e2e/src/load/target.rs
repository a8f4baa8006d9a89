//! What a run is let loose on.

mod cluster;
mod fleet;
mod node;
mod url;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};
use crds::ClientLimits;

use super::generator::Way;
use super::meter::{Processes, Role};
use super::profile::{Deed, Fault, Profile};
use crate::args::Load;
use crate::client::SigningKey;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::release;
use cluster::LocalCluster;
pub use fleet::LocalFleet;
pub use node::BareNode;

/// How a URL may begin.
const SCHEMES: [&str; 4] = ["http://", "https://", "ws://", "wss://"];

/// What a run is let loose on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One chat node that is started for it, with a store and a bus of its own.
    Node,
    /// Three chat nodes on a RabbitMQ and a store of their own, without Kubernetes.
    Fleet,
    /// The local cluster that `cargo e2e up` has brought up, through its ingress.
    Cluster,
    /// Any service.
    Url(String),
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "node" => Ok(Self::Node),
            "fleet" => Ok(Self::Fleet),
            "cluster" => Ok(Self::Cluster),
            url if SCHEMES.iter().any(|scheme| url.starts_with(scheme)) => Ok(Self::Url(url.to_owned())),
            _ => bail!(
                "`{text}` is no target: write node, fleet, cluster, or a URL that begins with one of {}",
                SCHEMES.join(" ")
            ),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::Fleet => f.write_str("fleet"),
            Self::Cluster => f.write_str("cluster"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

impl Target {
    /// An error if the profile does to it what cannot be done.
    pub fn can_take(&self, profile: &Profile) -> Result<()> {
        let possible = |deed: Deed| match (self, deed) {
            (Self::Fleet, _) | (Self::Cluster, Deed::Repartition(_)) => true,
            (Self::Cluster, Deed::Harm(fault, _)) => matches!(fault, Fault::KillNode | Fault::ReplaceNodes),
            (Self::Cluster, Deed::StepClock(..)) | (Self::Node | Self::Url(_), _) => false,
        };
        let impossible = profile.deeds().into_iter().find(|(_, deed)| !possible(*deed));
        match impossible {
            None => Ok(()),
            Some((_, deed)) => bail!("the target {self} cannot take `{deed}`; try --target fleet"),
        }
    }
}

/// A service that is ready for a run.
pub struct Service {
    /// The way in.
    pub way: Way,
    /// Signs the users' tokens.
    pub key: SigningKey,
    /// Whose use of the machine is counted.
    pub watched: Vec<(Role, Processes)>,
    /// What runs, by name.
    pub versions: Vec<(String, String)>,
    /// Whether the server has a core of its own.
    pub keeps_apart: bool,
    /// What was started for the run.
    started: Started,
}

/// What was started for a run.
enum Started {
    Nothing,
    Node(BareNode),
    Fleet(Box<LocalFleet>),
    Cluster(Box<LocalCluster>),
}

impl Service {
    /// Finds or starts what is to be loaded.
    pub async fn open(
        load: &Load,
        profile: &Profile,
        (paths, progress): (&Paths, &Progress),
    ) -> Result<Self> {
        match &load.target {
            Target::Node => {
                let program = program(load, (paths, progress)).await?;
                BareNode::start(paths, &program).await.map(BareNode::service)
            }
            Target::Fleet => {
                let program = program(load, (paths, progress)).await?;
                let wanted = (&load.fleet, profile);
                LocalFleet::start((paths, progress), &program, wanted).await.map(LocalFleet::service)
            }
            Target::Cluster => cluster::find(paths, profile, progress).await,
            Target::Url(url) => url::find(url, load).await,
        }
    }

    /// Does something to it; back when that is over.
    pub async fn suffer(&self, deed: Deed) -> Result<()> {
        match (&self.started, deed) {
            (Started::Fleet(fleet), Deed::Harm(fault, lasts)) => fleet.harm(fault, lasts).await,
            (Started::Fleet(fleet), Deed::StepClock(by, lasts)) => fleet.step_clock(by, lasts).await,
            (Started::Fleet(fleet), Deed::Repartition(partitions)) => fleet.repartition(partitions).await,
            (Started::Cluster(cluster), Deed::Harm(fault, _)) => cluster.harm(fault).await,
            (Started::Cluster(cluster), Deed::Repartition(partitions)) => {
                cluster.repartition(partitions).await
            }
            (Started::Nothing | Started::Node(_), deed)
            | (Started::Cluster(_), deed @ Deed::StepClock(..)) => bail!("it cannot take `{deed}`"),
        }
    }

    /// Ends what was started for the run, and undoes what was changed.
    pub async fn close(self) -> Result<()> {
        match self.started {
            Started::Nothing => {}
            Started::Cluster(cluster) => cluster.restore().await?,
            Started::Node(node) => drop(node),
            Started::Fleet(fleet) => fleet.end().await?,
        }
        Ok(())
    }
}

/// The chat node to start.
async fn program(load: &Load, (paths, progress): (&Paths, &Progress)) -> Result<PathBuf> {
    match &load.chat_node {
        Some(program) => Ok(program.clone()),
        None => Ok(release::build(paths, progress, &["chat-node"]).await?.join("chat-node")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_to_a_target_is_said_before_the_run() {
        let with = |event: &str| {
            let text = format!("{{description: '', users: 2, events: [{{at: 1s, {event}}}]}}");
            Profile::parse(&text).unwrap()
        };
        assert!(Target::Fleet.can_take(&with("fault: killStore")).is_ok());
        assert!(Target::Fleet.can_take(&with("stepClock: -1h")).is_ok());
        assert!(Target::Cluster.can_take(&with("fault: replaceNodes")).is_ok());
        assert!(Target::Cluster.can_take(&with("fault: killStore")).is_err());
        let refused = |target: Target, event| target.can_take(&with(event)).unwrap_err().to_string();
        assert!(refused(Target::Node, "fault: killNode").contains("KillNode"));
        for target in [Target::Node, Target::Cluster, Target::Url("http://chat.example/".to_owned())] {
            let error = refused(target, "stepClock: -1h");
            assert!(error.contains("step a clock by -1h") && error.contains("--target fleet"), "{error}");
        }
    }

    #[test]
    fn targets_are_written_as_they_are_shown() {
        for text in ["node", "fleet", "cluster", "http://chat.example/", "wss://chat.example"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert!("ftp://x".parse::<Target>().unwrap_err().to_string().contains("node"));
    }
}

//! Gathers everything that a decision needs: from the cache what the API server has, from brokers and chat nodes what
//! they say, in parallel and each with its deadline. A read that failed is a value: the decision says what that means.

mod broker;
mod children;
mod nodes;
mod ports;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crds::NodeReport;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::rabbitmq::{BrokerError, Exchange, Management, Node};
use crate::reconcile::Context;
use crate::resources::Kind;

pub use secrets::{InvalidKey, SecretState, Secrets};

/// Deadline of one read from the API server.
const API_DEADLINE: Duration = Duration::from_secs(8);

/// What one visit has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The cluster's objects.
    pub children: Children,
    /// Kinds of which the cluster has no object, as far as is known without asking: something else may have the name.
    pub unsure: BTreeSet<Kind>,
    /// Kinds that this Kubernetes cluster does not have.
    pub lacking: BTreeSet<Kind>,
    /// Its pods.
    pub pods: Seen<Vec<PodState>>,
    /// The Secrets that its spec names.
    pub secrets: Secrets,
    /// Its exchanges in the broker.
    pub broker: BrokerState,
    /// How the broker is.
    pub broker_health: BrokerHealth,
}

/// Something that was read, or could not be.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<T> {
    /// It was read.
    Known(T),
    /// It could not be read; why.
    Unknown(String),
}

/// The live object of every kind, if there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Children(pub BTreeMap<Kind, Seen<Option<Value>>>);

/// One pod of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct PodState {
    /// Its name.
    pub name: String,
    /// Its address, once it has one.
    pub address: Option<IpAddr>,
    /// Whether its container runs.
    pub runs: bool,
    /// Whether it passes its readiness probe.
    pub ready: bool,
    /// The time by which it must have ended, if it is ending.
    pub ends_by: Option<Timestamp>,
    /// Its `controller.kubernetes.io/pod-deletion-cost`.
    pub cost: Option<i32>,
    /// What its chat node says of itself, or why that is not known.
    pub report: Seen<NodeReport>,
}

/// The exchanges in the broker.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum BrokerState {
    /// Nobody was asked, for want of credentials.
    #[default]
    NotAsked,
    /// The broker could not say.
    Failed(BrokerError),
    /// All exchanges of this cluster.
    Exchanges(Vec<Exchange>),
}

/// How the broker is, where it answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerHealth {
    /// Its nodes; `None` if the user may not see them.
    pub nodes: Option<Vec<Node>>,
    /// Why it takes no declares, if it does not.
    pub refuses: Option<BrokerError>,
    /// Queues of this cluster that a node of the broker keeps which does not run.
    pub stranded: Vec<String>,
}

/// The versions of what the API server has of a cluster: the resource itself, and its objects.
#[derive(Debug)]
pub struct Versions {
    /// Uid and version of the resource.
    pub resource: (String, Option<String>),
    /// Those of its objects, by kind.
    pub objects: Vec<Vec<u64>>,
}

impl Versions {
    /// Those in the cache. Taken before the objects are, so that what comes between is seen as a change next time.
    pub fn of(ctx: &Context, cluster: &Cluster) -> Self {
        let objects = ctx.cache.versions(&cluster.namespace, &cluster.name);
        Self { resource: (cluster.uid.clone(), cluster.version.clone()), objects }
    }
}

/// Reads everything about one cluster, which is known of since `noticed`, but its objects. The access to its broker comes
/// with it where there is one.
pub async fn surroundings(
    ctx: &Context,
    cluster: &Cluster,
    noticed: Instant,
) -> (Observed, Option<Management>) {
    let services = async {
        let (secrets, access) = secrets::observe(ctx, cluster, noticed).await;
        (secrets, broker::observe(ctx, cluster, access).await)
    };
    let (pods, (secrets, (management, broker, broker_health))) =
        tokio::join!(nodes::observe(ctx, cluster), services);
    secrets::doubt(ctx, cluster, (&broker, &pods));
    let lacking = Kind::ALL.into_iter().filter(|kind| !ctx.apis.serves(*kind)).collect();
    (Observed { lacking, pods, secrets, broker, broker_health, ..Observed::default() }, management)
}

/// Adds the cluster's objects to its surroundings.
pub async fn with_objects(ctx: &Context, cluster: &Cluster, surroundings: Observed) -> Observed {
    let (children, unsure) = children::observe(ctx, cluster).await;
    let again = nodes::observe_again(ctx, cluster, &children).await;
    let pods = again.unwrap_or(surroundings.pods);
    Observed { children, unsure, pods, ..surroundings }
}

impl<T: Default> Default for Seen<T> {
    fn default() -> Self {
        Self::Known(T::default())
    }
}

impl<T> Seen<T> {
    /// The value, if it could be read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl Children {
    /// The live object of a kind; `None` also where it could not be read.
    pub fn get(&self, kind: Kind) -> Option<&Value> {
        self.0.get(&kind).and_then(Seen::known).and_then(Option::as_ref)
    }

    /// The live Deployment.
    pub fn deployment(&self) -> Option<Deployment> {
        self.typed(Kind::Deployment)
    }

    /// The live Ingress.
    pub fn ingress(&self) -> Option<Ingress> {
        self.typed(Kind::Ingress)
    }

    fn typed<T: DeserializeOwned>(&self, kind: Kind) -> Option<T> {
        self.get(kind).and_then(|value| T::deserialize(value).ok())
    }
}

impl Observed {
    /// Whether this Kubernetes cluster does without the kind.
    pub fn lacks(&self, kind: Kind) -> bool {
        self.lacking.contains(&kind)
    }

    /// What the API server did not tell, if anything.
    pub fn unread(&self, cluster: &Cluster) -> Option<String> {
        let child = self.children.0.iter().find_map(|(kind, seen)| match seen {
            Seen::Unknown(why) => Some(format!("{kind}: {why}")),
            Seen::Known(_) => None,
        });
        let pods = match &self.pods {
            Seen::Unknown(why) => Some(format!("pods: {why}")),
            Seen::Known(_) => None,
        };
        let secret = || {
            self.secrets.all(cluster).into_iter().find_map(|(_, state)| match state {
                SecretState::Unknown(why) => Some(format!("Secret: {why}")),
                _ => None,
            })
        };
        child.or(pods).or_else(secret)
    }
}

/// A read from the API server with its deadline; the error in words that stay the same while the cause does.
async fn read<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(API_DEADLINE, call).await {
        Ok(result) => result.map_err(|error| crate::act::explain(&error)),
        Err(_) => Err(format!("no answer from the API server in {} s", API_DEADLINE.as_secs())),
    }
}

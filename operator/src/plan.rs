//! What a visit will do: plain data between [`crate::decide`] and [`crate::act`].

use std::net::IpAddr;
use std::time::Duration;

use crds::{TopologyOrder, VibeTalkClusterStatus};

use crate::rabbitmq::Exchange;
use crate::resources::{Kind, Object};

/// Everything one visit changes. An empty plan changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What becomes of the finalizer.
    pub finalizer: Finalizer,
    /// Changes in the broker.
    pub broker: Vec<BrokerAction>,
    /// What chat nodes are told, after the objects are applied.
    pub orders: Vec<NodeOrder>,
    /// Names of exchanges that nobody needs any more. They are deleted after all else is done and every order is taken,
    /// and only if nothing is bound to them.
    pub retire: Vec<String>,
    /// Pods to mark before the Deployment shrinks.
    pub marks: Vec<Mark>,
    /// Objects to apply, in this order.
    pub apply: Vec<Object>,
    /// Children that are no longer wanted.
    pub prune: Vec<Prune>,
    /// The status to report.
    pub status: VibeTalkClusterStatus,
    /// What users should read in the events beside changes of conditions.
    pub notices: Vec<Notice>,
    /// What could not be read from the API server, so that the visit must be repeated.
    pub unread: Option<String>,
    /// When to look again.
    pub requeue: Requeue,
}

/// What becomes of the finalizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finalizer {
    /// It stays as it is.
    Leave,
    /// It is added, before anything outside is made.
    Add,
    /// It is removed, after everything outside is gone.
    Remove,
    /// It is removed, also if something outside could not be removed.
    LetGo,
}

/// One change in the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerAction {
    /// Declare the exchange.
    Declare(Exchange),
    /// Delete the exchange of this name.
    Delete(String),
    /// Delete the queue of this name, whose node of the broker does not run.
    Reap(String),
}

/// What one chat node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOrder {
    /// Name of the pod.
    pub pod: String,
    /// Where its admin port is.
    pub address: IpAddr,
    /// The epochs to listen and to publish to.
    pub order: TopologyOrder,
}

/// Tells the ReplicaSet controller how dear a pod is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Name of the pod.
    pub pod: String,
    /// Its deletion cost; lower goes first; `None` takes the mark away.
    pub cost: Option<i32>,
}

/// A child that is no longer wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Its kind; its name is the cluster's.
    pub kind: Kind,
    /// Its uid, so that a newer object of the same name stays.
    pub uid: String,
}

/// Something to tell the users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How bad it is.
    pub severity: Severity,
    /// CamelCase word.
    pub reason: String,
    /// Sentence.
    pub message: String,
}

/// How bad a [`Notice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Normal,
    /// Someone should look.
    Warning,
}

/// When to look again, if nothing that is watched changes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requeue {
    /// At once: something was just repaired and is to be seen.
    Soon,
    /// After a step that other controllers are carrying out.
    Step,
    /// To compare the broker, the Secrets and the nodes again.
    Poll,
    /// Never: the resource is going.
    Never,
}

impl Plan {
    /// A plan that only reports.
    pub fn report_only(status: VibeTalkClusterStatus, requeue: Requeue) -> Self {
        Self {
            finalizer: Finalizer::Leave,
            broker: Vec::new(),
            orders: Vec::new(),
            retire: Vec::new(),
            marks: Vec::new(),
            apply: Vec::new(),
            prune: Vec::new(),
            status,
            notices: Vec::new(),
            unread: None,
            requeue,
        }
    }

    /// The same observations and report without any change.
    pub fn without_writes(self) -> Self {
        Self { unread: self.unread, ..Self::report_only(self.status, Requeue::Poll) }
    }

    /// Whether the plan changes nothing but the status.
    pub fn is_empty(&self) -> bool {
        self.finalizer == Finalizer::Leave
            && self.broker.is_empty()
            && self.orders.is_empty()
            && self.retire.is_empty()
            && self.marks.is_empty()
            && self.apply.is_empty()
            && self.prune.is_empty()
    }
}

impl BrokerAction {
    /// The exchange that is there afterwards, if it is one more.
    pub fn declared(&self) -> Option<&Exchange> {
        match self {
            Self::Declare(exchange) => Some(exchange),
            Self::Delete(_) | Self::Reap(_) => None,
        }
    }
}

impl Requeue {
    /// The time to wait, before jitter.
    pub fn delay(self) -> Option<Duration> {
        match self {
            Self::Soon => Some(Duration::from_millis(500)),
            Self::Step => Some(Duration::from_secs(2)),
            Self::Poll => Some(Duration::from_secs(10)),
            Self::Never => None,
        }
    }
}

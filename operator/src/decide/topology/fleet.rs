//! The chat nodes that live, and what they say of the epochs.

use crds::node::{Dependency, NodeState};
use crds::{NodeReport, TopologyOrder};
use jiff::Timestamp;

use super::super::scaling::is_lost;
use crate::observe::{PodState, Seen};
use crate::plan::NodeOrder;

/// Every chat node that may listen or publish.
pub(super) struct Fleet<'a> {
    nodes: Vec<&'a PodState>,
    /// Why the pods are not known, if they are not.
    unseen: Option<&'a str>,
}

/// A chat node that is not yet where it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lag {
    /// What is waited for, in words.
    pub(super) what: String,
    /// Whether it says nothing, so that someone should look.
    pub(super) unheard: bool,
}

impl<'a> Fleet<'a> {
    /// A pod without a running container will read the order when it starts; one on a lost machine is waited for no
    /// longer.
    pub(super) fn of(pods: &'a Seen<Vec<PodState>>, now: Timestamp) -> Self {
        match pods {
            Seen::Known(pods) => {
                let nodes = pods.iter().filter(|pod| pod.runs && !is_lost(pod, now)).collect();
                Self { nodes, unseen: None }
            }
            Seen::Unknown(why) => Self { nodes: Vec::new(), unseen: Some(why) },
        }
    }

    /// Every epoch that a node speaks of.
    pub(super) fn epochs(&self) -> impl Iterator<Item = u32> {
        self.reports().flat_map(|report| report.epochs.iter().copied().chain(report.publishing))
    }

    pub(super) fn somebody_publishes_to(&self, epoch: u32) -> bool {
        self.reports().any(|report| report.publishing == Some(epoch))
    }

    /// The nodes of which `is_there` does not hold, or is not known.
    pub(super) fn lagging(&self, is_there: impl Fn(&NodeReport) -> bool) -> Vec<Lag> {
        let unseen = self.unseen.map(|why| Lag { what: format!("the pods: {why}"), unheard: true });
        let lag = |pod: &&PodState| match &pod.report {
            Seen::Known(report) if is_there(report) => None,
            Seen::Known(report) => Some(Lag { what: slow(pod, report), unheard: false }),
            Seen::Unknown(why) => Some(Lag { what: format!("chat node {}: {why}", pod.name), unheard: true }),
        };
        unseen.into_iter().chain(self.nodes.iter().filter_map(lag)).collect()
    }

    /// The order for every node that can take one.
    pub(super) fn tell_all(&self, order: &TopologyOrder) -> Vec<NodeOrder> {
        self.tell(order, |_| true)
    }

    /// The order for the nodes that do not do as it says.
    pub(super) fn remind(&self, order: &TopologyOrder) -> Vec<NodeOrder> {
        self.tell(order, |report| !follows(report, order))
    }

    /// The order for the nodes that do something else; not for those that can do nothing for now.
    pub(super) fn correct(&self, order: &TopologyOrder) -> Vec<NodeOrder> {
        self.tell(order, |report| !report.epochs.is_empty() && !follows(report, order))
    }

    /// The nodes that serve users and do not listen to the epoch.
    pub(super) fn deaf_to(&self, epoch: u32) -> Vec<Lag> {
        let serving = self.nodes.iter().filter(|pod| pod.ready && pod.ends_by.is_none());
        let deaf = serving.filter_map(|pod| {
            let report = pod.report.known().filter(|report| !report.epochs.contains(&epoch))?;
            Some(Lag { what: slow(pod, report), unheard: false })
        });
        deaf.collect()
    }

    /// A node that starts takes no orders: it begins with that of the ConfigMap.
    fn tell(&self, order: &TopologyOrder, whom: impl Fn(&NodeReport) -> bool) -> Vec<NodeOrder> {
        let takes = |report: &&NodeReport| report.state != NodeState::Starting && whom(report);
        let told = self.nodes.iter().filter_map(|pod| {
            pod.report.known().filter(takes)?;
            Some(NodeOrder { pod: pod.name.clone(), address: pod.address?, order: order.clone() })
        });
        told.collect()
    }

    fn reports(&self) -> impl Iterator<Item = &'a NodeReport> {
        self.nodes.iter().filter_map(|pod| pod.report.known())
    }
}

/// Whether the node listens to every epoch of the order; it may listen to more.
pub(super) fn listens(report: &NodeReport, order: &TopologyOrder) -> bool {
    order.listen.iter().all(|plan| report.epochs.contains(&plan.epoch))
}

/// Whether the node is exactly where the order wants it.
pub(super) fn follows(report: &NodeReport, order: &TopologyOrder) -> bool {
    let nothing_else = report.epochs.iter().all(|epoch| order.plan(*epoch).is_some());
    listens(report, order) && nothing_else && report.publishing == Some(order.publish)
}

fn slow(pod: &PodState, report: &NodeReport) -> String {
    match &report.broker {
        Dependency::Unreachable { reason } => format!("chat node {}: {reason}", pod.name),
        Dependency::Reachable => format!("chat node {}", pod.name),
    }
}

//! The conditions of a `VibeTalkCluster` and their reasons, in one place.

use std::fmt;

/// Types of conditions. All are set from the first visit on; their order here is their order in the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// Summary: users can chat.
    Ready,
    /// The wanted number of chat nodes is ready.
    WorkloadAvailable,
    /// The broker has the exchanges it should have.
    TopologyInSync,
    /// Every chat node reaches the store.
    StoreReachable,
    /// Every chat node's clock agrees with the store's.
    ClocksInSync,
    /// The autoscaler works.
    AutoscalingActive,
    /// Users can reach the chat nodes from outside.
    ExposureReady,
    /// Prometheus is told of the chat nodes.
    MonitoringReady,
    /// A change is being rolled out.
    Progressing,
    /// The operator observes and changes nothing.
    Paused,
}

impl ConditionType {
    /// Every type, in the order of the status.
    pub const ALL: [Self; 10] = [
        Self::Ready,
        Self::WorkloadAvailable,
        Self::TopologyInSync,
        Self::StoreReachable,
        Self::ClocksInSync,
        Self::AutoscalingActive,
        Self::ExposureReady,
        Self::MonitoringReady,
        Self::Progressing,
        Self::Paused,
    ];
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a condition has its status. The name is what `kubectl describe` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// All is as the spec says.
    AsSpecified,
    /// The spec does not ask for this.
    NotRequested,
    /// Nothing is known yet.
    NotObserved,
    /// The spec is contradictory or cannot be parsed; the message names the field.
    InvalidSpec,
    /// A Secret that the spec names is absent; the message names the field.
    SecretMissing,
    /// A Secret that the spec names lacks a key; the message names the field and the key.
    SecretIncomplete,
    /// Pods are starting or ending.
    PodsNotReady,
    /// Pods cannot be made; the message has the API server's words.
    PodsRefused,
    /// The broker's management API does not answer.
    BrokerUnreachable,
    /// An exchange was absent and is being declared.
    ExchangeMissing,
    /// An exchange exists with another type or other arguments; it is never deleted.
    ExchangeMismatch,
    /// An exchange that nobody needs any more cannot be deleted: it is bound to a queue, or somebody else has made it.
    ExchangeLeft,
    /// A node of the broker is not well, so that the broker takes nothing; the message has its name.
    BrokerUnhealthy,
    /// The chat nodes are moving to other partitions or another routing while they serve.
    Repartitioning,
    /// That waits for a chat node that does not answer; the message has its name.
    NodeUnreachable,
    /// A chat node that serves does not listen to the partitions; the message has its name.
    NodesNotBound,
    /// A chat node does not reach the store.
    StoreUnreachable,
    /// A chat node's clock is off.
    ClockSkew,
    /// The autoscaler reports a problem; the message has its words.
    AutoscalerFailing,
    /// The Ingress has no address yet.
    AddressPending,
    /// No gateway has taken the route yet; the message has the gateway's words.
    RouteNotAccepted,
    /// The Kubernetes cluster does not have a kind that the spec asks for; the message names it.
    KindMissing,
    /// The spec asks for no chat nodes.
    Hibernating,
    /// An object of the name that is needed exists and belongs to something else; the message names it.
    NameTaken,
    /// A write to the API server failed; the message has its words.
    WriteFailed,
    /// The spec says `paused: true`.
    PausedBySpec,
    /// The resource is being deleted.
    Deleting,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

//! The ways to run chat nodes that the tests go through, all at the same time.

use crds::{QueueType, RoutingMode};

/// A way to run chat nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Names it.
    pub name: &'static str,
    /// How the broker's messages are routed.
    pub routing: RoutingMode,
    /// How the broker keeps the nodes' queues.
    pub queue: QueueType,
}

/// Every way to route, and both kinds of queue.
pub const ALL: [Variant; 3] = [
    Variant { name: "user-classic", routing: RoutingMode::User, queue: QueueType::Classic },
    Variant { name: "channel-quorum", routing: RoutingMode::Channel, queue: QueueType::Quorum },
    Variant { name: "static-classic", routing: RoutingMode::Static, queue: QueueType::Classic },
];

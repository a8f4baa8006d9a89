//! The VibeTalk API.
//!
//! - [`VibeTalkCluster`]: the custom resource `vibetalk.dev/v1alpha1` that users write (feature `resource`).
//! - [`node`]: what the operator tells a chat node ([`NodeConfig`]) and what a chat node answers ([`NodeReport`]).
//! - [`topology`]: how the broker is used ([`TopologyPlan`]), and how that changes while all run ([`TopologyOrder`]).
//! - [`exchange`]: the names of the broker's exchanges, which both sides must agree on.
//! - [`limits`]: what clients may use.
//! - [`binding`]: where a chat node finds its credentials.
//!
//! The YAML beside the code (`vibetalkclusters.yaml`) is generated from these types and kept equal by a test.

pub mod binding;
pub mod exchange;
pub mod limits;
pub mod node;
pub mod topology;

mod duration;

pub use duration::{Duration, InvalidDuration};
pub use limits::ClientLimits;
pub use node::{NodeConfig, NodeReport, Posting};
pub use topology::{QueueType, RoutingMode, ServerQueue, TopologyOrder, TopologyPlan};

#[cfg(feature = "resource")]
mod cluster;
#[cfg(feature = "resource")]
pub mod condition;
#[cfg(feature = "resource")]
mod schema;
#[cfg(feature = "resource")]
pub mod yaml;

#[cfg(feature = "resource")]
pub use cluster::*;

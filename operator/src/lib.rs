//! The VibeTalk operator: makes the cluster look as a [`crds::VibeTalkCluster`] says.
//!
//! Every visit to a resource has four steps. [`observe`] reads everything a decision needs. [`decide`] is a pure
//! function from what was seen to a [`plan`]: no client, no clock, no randomness. [`act`] carries the plan out and
//! [`report`] writes the status and the events. Deletion, pause, a bad spec and an unreachable broker are all
//! plans, so nothing above `act` can write and nothing below `decide` can choose.

pub mod act;
pub mod admin;
pub mod apis;
pub mod args;
pub mod backoff;
pub mod cache;
pub mod cluster;
pub mod controller;
pub mod decide;
pub mod http;
pub mod lease;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod rabbitmq;
pub mod reconcile;
pub mod render;
pub mod report;
pub mod resources;
pub mod run;
pub mod settled;
pub mod skew;
pub mod telemetry;
pub mod turns;

#[cfg(test)]
mod fixture;

/// The field manager of every write, and the value of the label `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "vibetalk-operator";

/// Keeps a deleted resource until its exchanges are gone from the broker.
pub const FINALIZER: &str = "vibetalk.dev/exchanges";

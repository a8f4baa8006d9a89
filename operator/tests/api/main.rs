//! The operator against a real API server. There are no kubelets and no other controllers here: what they would do is
//! written by hand where a test needs it.
//!
//! Needs `KUBEBUILDER_ASSETS`, a directory with `etcd` and `kube-apiserver`; without it each test says that it is left
//! out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail where it likes")]

mod broker;
mod chart;
mod chat_nodes;
mod children;
mod crash_points;
mod deletion;
mod exchanges;
mod faults;
mod many;
mod namespace;
mod newborn;
mod optional;
mod process;
mod program;
mod properties;
mod refusals;
mod repartition;
mod scaling;
mod schema;
mod server;
mod skew;
mod watch_faults;

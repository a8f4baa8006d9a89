//! Names of the exchanges in the broker: `vt.<cluster>.<epoch>.<partition>` and `vt.<cluster>.control`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names a cluster in the broker: `<namespace>.<name>` in Kubernetes, which no two clusters share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterKey(String);

impl ClusterKey {
    /// The key of the `VibeTalkCluster` `name` in `namespace`. A namespace holds no dot, so the first dot
    /// always ends it and two clusters never share a key.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}.{name}"))
    }

    /// What every exchange of this cluster begins with.
    pub fn prefix(&self) -> String {
        format!("vt.{}.", self.0)
    }

    /// The direct exchange of one partition.
    pub fn partition(&self, epoch: u32, partition: u16) -> String {
        format!("vt.{}.{epoch}.{partition}", self.0)
    }

    /// The fanout exchange for what concerns every node.
    pub fn control(&self) -> String {
        format!("vt.{}.control", self.0)
    }
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

    /// Whether an exchange of this name belongs to this cluster, whatever its epoch. More than the prefix is
    /// looked at: `vt.ns.a.` also begins the names of a cluster `a.b` that someone else may have made there.
    pub fn owns(&self, exchange: &str) -> bool {
        let Some(rest) = exchange.strip_prefix(&self.prefix()) else { return false };
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        rest == "control"
            || rest.split_once('.').is_some_and(|(epoch, partition)| number(epoch) && number(partition))
    }

    /// The epoch of one of this cluster's partitions.
    pub fn epoch_of(&self, exchange: &str) -> Option<u32> {
        let rest = Some(exchange).filter(|name| self.owns(name))?.strip_prefix(&self.prefix())?;
        rest.split_once('.')?.0.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_owns_what_it_names_and_nothing_else() {
        let key = ClusterKey::new("ns", "a");
        for own in [key.control(), key.partition(1, 0), key.partition(12, 255)] {
            assert!(key.owns(&own), "{own}");
        }
        for other in
            ["vt.ns.a.b.control", "vt.ns.a.1", "vt.ns.a.1.x", "vt.ns.a.b.1.0", "vt.ns.ab.1.0", "amq.direct"]
        {
            assert!(!key.owns(other), "{other}");
        }
    }

    #[test]
    fn a_partition_tells_its_epoch() {
        let key = ClusterKey::new("ns", "a");
        assert_eq!(key.epoch_of(&key.partition(12, 255)), Some(12));
        for other in [key.control(), "vt.ns.a.b.1.0".to_owned(), key.partition(1, 0) + "x"] {
            assert_eq!(key.epoch_of(&other), None, "{other}");
        }
    }
}

//! How badly the store and the bus behave at the moment.

use std::collections::BTreeSet;

use crate::trace::NodeId;

#[derive(Debug)]
pub struct Weather {
    /// Longest way of a call to the store, each way, in ms.
    pub store_ms: u64,
    /// How often a call to the store fails, before or after it took effect.
    pub store_fails: f64,
    /// How often a write to the store takes effect only after its caller was told that it failed.
    pub store_late: f64,
    /// How often a write takes a second more until it takes effect.
    pub store_stalls: f64,
    /// How often the entries of one insert are not stored at the same moment.
    pub store_torn: f64,
    /// Whether the store answers nobody.
    pub store_down: bool,
    /// Nodes that the store does not answer.
    pub cut_off: BTreeSet<NodeId>,
    /// Longest way of an envelope, in ms.
    pub bus_ms: u64,
    /// How often an envelope does not reach a node.
    pub bus_loses: f64,
    /// How often it comes twice.
    pub bus_repeats: f64,
    /// How often the broker says that a queue missed an envelope.
    pub bus_nacks: f64,
    /// How often it never says what became of one.
    pub bus_hangs: f64,
    /// Pairs of nodes, the sender first, between which nothing comes through.
    pub apart: BTreeSet<(NodeId, NodeId)>,
    /// Longest way of a frame between client and node, in ms.
    pub wire_ms: u64,
    /// Whether clients only do what they must.
    pub calm: bool,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            store_ms: 3,
            store_fails: 0.0,
            store_late: 0.0,
            store_stalls: 0.0,
            store_torn: 0.0,
            store_down: false,
            cut_off: BTreeSet::new(),
            bus_ms: 5,
            bus_loses: 0.0,
            bus_repeats: 0.0,
            bus_nacks: 0.0,
            bus_hangs: 0.0,
            apart: BTreeSet::new(),
            wire_ms: 3,
            calm: false,
        }
    }
}

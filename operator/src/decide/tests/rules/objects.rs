//! The objects of a cluster, and who else touches them.

use serde_json::json;

use super::Row;
use crate::observe::Seen;
use crate::resources::Kind;

pub(super) const ROWS: &[Row] = &[
    Row {
        rule: "a converged cluster is ready and left alone",
        given: |_| {},
        says: &[
            ("Ready", "True", "AsSpecified", ""),
            ("WorkloadAvailable", "True", "AsSpecified", "2 of 2"),
            ("TopologyInSync", "True", "AsSpecified", "4 partitions"),
            ("StoreReachable", "True", "AsSpecified", ""),
            ("ClocksInSync", "True", "AsSpecified", ""),
            ("AutoscalingActive", "False", "NotRequested", ""),
            ("ExposureReady", "True", "AsSpecified", "http://10.0.0.9/"),
            ("Progressing", "False", "AsSpecified", ""),
            ("Paused", "False", "NotRequested", ""),
        ],
        does: &[],
    },
    Row {
        rule: "a deleted Service comes back",
        given: |world| drop(world.observed.children.0.insert(Kind::Service, Seen::Known(None))),
        says: &[],
        does: &["apply Service"],
    },
    Row {
        rule: "an object whose name something else may have is made, and put over nothing",
        given: |world| {
            world.observed.children.0.insert(Kind::Service, Seen::Known(None));
            world.observed.unsure.insert(Kind::Service);
        },
        says: &[],
        does: &["make Service"],
    },
    Row {
        rule: "a field changed by hand is put right",
        given: |world| world.live(Kind::Service)["spec"]["ports"][0]["targetPort"] = 1.into(),
        says: &[],
        does: &["apply Service"],
    },
    Row {
        rule: "an object that could not be read is not written",
        given: |world| drop(world.observed.children.0.insert(Kind::Service, Seen::Unknown("403".to_owned()))),
        says: &[],
        does: &[],
    },
    Row {
        rule: "an object of someone else is not taken over",
        given: |world| world.live(Kind::Service)["metadata"]["ownerReferences"] = json!([{ "uid": "other" }]),
        says: &[
            ("WorkloadAvailable", "False", "NameTaken", "Service `demo` exists"),
            ("Ready", "False", "NameTaken", ""),
        ],
        does: &[],
    },
    Row {
        rule: "a hole in the NetworkPolicy is closed",
        given: |world| {
            let ingress = &mut world.live(Kind::NetworkPolicy)["spec"]["ingress"];
            if let Some(rules) = ingress.as_array_mut() {
                rules.push(json!({}));
            }
        },
        says: &[],
        does: &["apply NetworkPolicy"],
    },
];

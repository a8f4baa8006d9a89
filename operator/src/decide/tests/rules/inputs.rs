//! What the cluster is given and told: its spec, its Secrets, its nodes' reports.

use serde_json::json;

use super::{Row, set_spec};
use crate::cluster::InvalidSpec;
use crate::fixture;
use crate::observe::{SecretState, Seen};
use crate::resources::Kind;

pub(super) const ROWS: &[Row] = &[
    Row {
        rule: "a Secret that goes missing is named by its field, and the pods stay as they are",
        given: |world| {
            world.observed.secrets.mongodb = SecretState::Missing("db".to_owned());
            world.observed.secrets.digest = None;
            world.observed.secrets.ports = None;
        },
        says: &[(
            "StoreReachable",
            "False",
            "SecretMissing",
            "spec.mongodb.secretRef: there is no Secret `db`",
        )],
        does: &[],
    },
    Row {
        rule: "an incomplete Secret is named by field and key",
        given: |world| {
            world.observed.secrets.auth = SecretState::Incomplete {
                secret: "auth".to_owned(),
                key: "hs256".to_owned(),
                problem: "is absent".to_owned(),
            };
        },
        says: &[(
            "WorkloadAvailable",
            "False",
            "SecretIncomplete",
            "spec.auth.secretRef: key `hs256` of Secret `auth`",
        )],
        does: &[],
    },
    Row {
        rule: "changed Secrets roll the pods",
        given: |world| world.observed.secrets.digest = Some("other".to_owned()),
        says: &[],
        does: &["apply Deployment"],
    },
    Row {
        rule: "a store that a node cannot reach is reported with the node's words",
        given: |world| {
            world.pods()[0].report = unreachable_store();
        },
        says: &[("StoreReachable", "False", "StoreUnreachable", "pod-001: connection refused")],
        does: &[],
    },
    Row {
        rule: "a clock that is off is reported",
        given: |world| match &mut world.pods()[1].report {
            Seen::Known(report) => report.clock_skew_ms = -5_001,
            Seen::Unknown(why) => panic!("{why}"),
        },
        says: &[("ClocksInSync", "False", "ClockSkew", "pod-002")],
        does: &[],
    },
    Row {
        rule: "pods that the API server refuses are reported in its words",
        given: |world| {
            world.live(Kind::Deployment)["status"] = json!({ "conditions": [
                { "type": "ReplicaFailure", "status": "True", "message": "exceeded quota" },
            ] });
        },
        says: &[("WorkloadAvailable", "False", "PodsRefused", "exceeded quota")],
        does: &[],
    },
    Row {
        rule: "a paused cluster is observed and left alone",
        given: |world| {
            set_spec(world, |spec| spec.paused = true);
            world.exchanges().clear();
            world.observed.children.0.insert(Kind::Service, Seen::Known(None));
        },
        says: &[("Paused", "True", "PausedBySpec", ""), ("TopologyInSync", "False", "ExchangeMissing", "")],
        does: &[],
    },
    Row {
        rule: "a spec that cannot be parsed is named by its field and changes nothing",
        given: |world| {
            let invalid = InvalidSpec { field: "drain.window".to_owned(), problem: "`0s`".to_owned() };
            world.cluster.spec = Err(invalid);
            world.exchanges().clear();
        },
        says: &[
            ("Ready", "False", "InvalidSpec", "spec.drain.window"),
            ("WorkloadAvailable", "True", "AsSpecified", ""),
        ],
        does: &[],
    },
];

fn unreachable_store() -> Seen<crds::NodeReport> {
    let Seen::Known(mut report) = fixture::pod("any", 0).report else { panic!("the fixture reports") };
    report.store = crds::node::Dependency::Unreachable { reason: "connection refused".to_owned() };
    Seen::Known(report)
}

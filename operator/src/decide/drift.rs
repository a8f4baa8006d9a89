//! Which objects must be written. An object is left alone when every wish still holds, which finds what others have
//! changed; what others added stays, as it would under server-side apply. One of the wishes is the digest of all of
//! them ([`crate::resources::APPLIED_ANNOTATION`]), which finds wishes that were dropped.

use crds::VibeTalkClusterSpec;
use crds::condition::{ConditionType, Reason};
use serde_json::{Map, Value};

use super::conditions::Verdict;
use crate::cluster::Cluster;
use crate::observe::{Observed, Seen};
use crate::plan::Prune;
use crate::resources::{Kind, Object, is_wanted};

/// Lists that the API server merges by a key. All others are replaced as a whole, so there an element too many is a
/// difference.
const MERGED_LISTS: [&str; 8] = [
    "containers",
    "env",
    "imagePullSecrets",
    "ownerReferences",
    "ports",
    "topologySpreadConstraints",
    "volumeMounts",
    "volumes",
];

/// Maps whose values are quantities, or may be: `target` is that of an autoscaler's metric.
const QUANTITIES: [&str; 3] = ["requests", "limits", "target"];

#[derive(Debug, Default)]
pub(super) struct Drift {
    pub(super) apply: Vec<Object>,
    pub(super) prune: Vec<Prune>,
    /// A name that something else has.
    pub(super) taken: Option<Verdict>,
}

pub(super) fn compare(
    cluster: &Cluster,
    spec: &VibeTalkClusterSpec,
    desired: Vec<Object>,
    observed: &Observed,
) -> Drift {
    let children = &observed.children;
    let mut drift = Drift::default();
    // By the spec, not by what could be built: without its Secrets a cluster keeps what it has.
    for kind in Kind::ALL.into_iter().filter(|kind| !is_wanted(spec, *kind)) {
        if let Some(live) = children.get(kind).filter(|live| is_own(cluster, live)) {
            let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            drift.prune.extend((!is_going(live)).then_some(Prune { kind, uid }));
        }
    }
    for object in desired.into_iter().filter(|object| !observed.lacks(object.kind)) {
        match children.0.get(&object.kind) {
            // Not knowing is no reason to write.
            Some(Seen::Unknown(_)) => {}
            Some(Seen::Known(Some(live))) if !is_own(cluster, live) => {
                drift.taken = drift.taken.or_else(|| Some(taken(&object)));
            }
            Some(Seen::Known(Some(live))) if is_going(live) || !differs(object.kind, &object.body, live) => {}
            _ if observed.unsure.contains(&object.kind) => drift.apply.push(object.as_new()),
            _ => drift.apply.push(object),
        }
    }
    drift
}

/// Whether the live object must be applied again.
fn differs(kind: Kind, desired: &Value, live: &Value) -> bool {
    // A list of ports is merged in a Service and a Deployment. In a NetworkPolicy one too many is a hole.
    let merged = if kind == Kind::NetworkPolicy { &["ownerReferences"] } else { &MERGED_LISTS[..] };
    !Comparison { merged }.holds(desired, live, "")
}

struct Comparison {
    merged: &'static [&'static str],
}

pub(super) fn is_own(cluster: &Cluster, live: &Value) -> bool {
    let owners = live["metadata"]["ownerReferences"].as_array();
    owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == cluster.uid.as_str()))
}

fn is_going(live: &Value) -> bool {
    !live["metadata"]["deletionTimestamp"].is_null()
}

fn taken(object: &Object) -> Verdict {
    let message = format!(
        "{} `{}` exists and does not belong to this VibeTalkCluster: delete it, or give the cluster another name",
        object.kind,
        object.name()
    );
    Verdict::no(ConditionType::WorkloadAvailable, Reason::NameTaken, message)
}

impl Comparison {
    /// Whether `live` is all that `desired` says; it may be more. `field` is the name that `desired` stands under.
    fn holds(&self, desired: &Value, live: &Value, field: &str) -> bool {
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) if QUANTITIES.contains(&field) => desired
                .iter()
                .all(|(key, value)| live.get(key).is_some_and(|live| same_quantity(value, live))),
            (Value::Object(desired), Value::Object(live)) => self.object_holds(desired, live),
            (Value::Array(desired), Value::Array(live)) if self.merged.contains(&field) => {
                desired.iter().all(|wish| live.iter().any(|element| self.holds(wish, element, "")))
            }
            (Value::Array(desired), Value::Array(live)) => {
                desired.len() == live.len()
                    && desired.iter().zip(live).all(|(desired, live)| self.holds(desired, live, ""))
            }
            (desired, live) => desired == live || (is_empty(desired) && live.is_null()),
        }
    }

    fn object_holds(&self, desired: &Map<String, Value>, live: &Map<String, Value>) -> bool {
        desired.iter().all(|(key, value)| self.holds(value, live.get(key).unwrap_or(&Value::Null), key))
    }
}

/// The API server does not store empty lists, maps and texts.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        other => other.is_null(),
    }
}

/// `0.5` and `500m` are the same quantity, and the API server stores only one of them.
fn same_quantity(desired: &Value, live: &Value) -> bool {
    match (desired.as_str().and_then(quantity), live.as_str().and_then(quantity)) {
        (Some(desired), Some(live)) => (desired - live).abs() <= desired.abs() * 1e-9,
        _ => desired == live,
    }
}

/// A Kubernetes quantity as a number.
fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let scaled = SUFFIXES.iter().find_map(|(suffix, factor)| {
        let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
        Some(number * factor)
    });
    scaled.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::APPLIED_ANNOTATION;
    use serde_json::json;

    fn check(desired: &Value, live: &Value) -> bool {
        !differs(Kind::Deployment, desired, live)
    }

    #[test]
    fn what_the_server_or_others_add_is_no_drift() {
        assert!(check(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
        assert!(check(
            &json!({"env": [{"name": "A"}]}),
            &json!({"env": [{"name": "B"}, {"name": "A", "x": 1}]})
        ));
        assert!(check(&json!({"tolerations": []}), &json!({})));
        assert!(check(
            &json!({"tolerations": [{"key": "a", "value": ""}]}),
            &json!({"tolerations": [{"key": "a"}]})
        ));
    }

    #[test]
    fn what_others_change_or_remove_is_drift() {
        assert!(!check(&json!({"a": 1}), &json!({"a": 2})));
        assert!(!check(&json!({"a": {"b": 1}}), &json!({})));
        assert!(!check(&json!({"env": [{"name": "A"}]}), &json!({"env": []})));
        assert!(
            !check(&json!({"rules": [1]}), &json!({"rules": [1, 2]})),
            "a list that is replaced as a whole"
        );
    }

    #[test]
    fn a_port_too_many_is_drift_where_it_is_a_hole() {
        let ports = |ports: Value| json!({ "ports": ports });
        let (one, two) = (ports(json!([{ "port": 1 }])), ports(json!([{ "port": 1 }, { "port": 2 }])));
        assert!(check(&one, &two));
        assert!(differs(Kind::NetworkPolicy, &one, &two));
    }

    #[test]
    fn a_dropped_wish_is_drift_although_the_rest_still_holds() {
        let with = |digest: &str, more: Value| json!({"metadata": {"annotations": {APPLIED_ANNOTATION: digest}}, "spec": more});
        assert!(!check(&with("new", json!({})), &with("old", json!({"nodeSelector": {"a": "b"}}))));
        assert!(check(&with("old", json!({})), &with("old", json!({"nodeSelector": {"a": "b"}}))));
    }

    #[test]
    fn quantities_are_compared_by_value() {
        let limits = |text: &str| json!({"limits": {"cpu": text}});
        assert!(check(
            &json!({"target": {"averageValue": "5000"}}),
            &json!({"target": {"averageValue": "5k"}})
        ));
        for (desired, live) in [("0.5", "500m"), ("1024Mi", "1Gi"), ("1000m", "1"), ("1e3", "1k")] {
            assert!(check(&limits(desired), &limits(live)), "{desired} {live}");
        }
        assert!(!check(&limits("1"), &limits("1k")));
        assert!(!check(&limits("x"), &limits("y")));
    }
}

//! Kinds that a Kubernetes cluster may do without, with the definitions of those who make them.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use operator::resources::Kind;
use serde_json::{Value, json};

use crate::namespace::{Namespace, spec};

fn through_gateway() -> Value {
    let mut spec = spec();
    spec["exposure"] =
        json!({ "gateway": { "parentRefs": [{ "name": "public" }], "hostnames": ["chat.example"] } });
    spec
}

fn everything() -> Value {
    let mut spec = through_gateway();
    spec["monitoring"] = json!({ "podMonitor": { "labels": { "release": "p" } }, "rules": {} });
    spec["autoscaling"] = json!({
        "maxReplicas": 9, "targetConnections": 5000, "targetCPUUtilization": 50,
        "keda": { "prometheus": "http://prometheus:9090" },
        "behavior": { "scaleDown": { "stabilizationWindowSeconds": 60 } },
    });
    spec
}

/// What the Deployment's controller and a gateway would say.
async fn answer(namespace: &Namespace) {
    let ready = json!({ "status": { "readyReplicas": 2, "replicas": 2, "updatedReplicas": 2 } });
    let params = PatchParams::default();
    namespace.api::<Deployment>().patch_status("demo", &params, &Patch::Merge(ready)).await.unwrap();
    let conditions = ["Accepted", "ResolvedRefs"].map(|type_| {
        let time = "2026-01-01T00:00:00Z";
        json!({ "type": type_, "status": "True", "reason": type_, "message": "", "lastTransitionTime": time })
    });
    let parent =
        json!({ "controllerName": "test/x", "parentRef": { "name": "public" }, "conditions": conditions });
    let taken = json!({ "status": { "parents": [parent] } });
    let routes = namespace.children(Kind::HttpRoute);
    routes.patch_status("demo", &params, &Patch::Merge(taken)).await.unwrap();
}

#[tokio::test]
async fn every_optional_kind_passes_its_makers_schema_and_is_not_written_again() {
    let Some(namespace) = Namespace::with_optional_kinds().await else { return };
    namespace.make("demo", everything()).await;
    namespace.settle("demo").await;
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_optional()) {
        assert!(namespace.child(kind, "demo").await.is_some(), "no {kind}");
    }
    assert_eq!(namespace.condition("demo", "MonitoringReady").await.0, "True");
    assert_eq!(namespace.visit("demo").await.unwrap(), 0);
}

#[tokio::test]
async fn the_way_in_can_be_changed_and_leaves_nothing_behind() {
    let Some(namespace) = Namespace::with_optional_kinds().await else { return };
    namespace.make("demo", through_gateway()).await;
    namespace.settle("demo").await;
    assert_eq!(namespace.condition("demo", "ExposureReady").await.1, "RouteNotAccepted");
    answer(&namespace).await;
    namespace.settle("demo").await;
    assert_eq!(namespace.status("demo").await.url.as_deref(), Some("https://chat.example/"));

    let ways = [Kind::Ingress, Kind::HttpRoute];
    for (exposure, left) in [
        (json!({ "ingress": {}, "gateway": null }), Some(Kind::Ingress)),
        (
            json!({ "ingress": null, "gateway": { "parentRefs": [{ "name": "other" }] } }),
            Some(Kind::HttpRoute),
        ),
        (Value::Null, None),
    ] {
        namespace.change("demo", json!({ "exposure": exposure })).await.unwrap();
        namespace.settle("demo").await;
        for kind in ways {
            assert_eq!(
                namespace.child(kind, "demo").await.is_some(),
                left == Some(kind),
                "{kind} of {exposure}"
            );
        }
    }
}

#[tokio::test]
async fn a_kind_that_is_not_there_is_said_and_is_no_error() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", everything()).await;
    namespace.settle("demo").await;
    for (condition, kind) in [
        ("ExposureReady", "HTTPRoute"),
        ("MonitoringReady", "PodMonitor"),
        ("AutoscalingActive", "ScaledObject"),
    ] {
        let (status, reason, message) = namespace.condition("demo", condition).await;
        assert_eq!((status.as_str(), reason.as_str()), ("False", "KindMissing"));
        assert!(message.contains(kind), "{message}");
    }
    assert!(namespace.has::<Deployment>("demo").await);
}

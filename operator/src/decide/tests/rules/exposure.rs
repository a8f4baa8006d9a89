//! The way in, and kinds that a Kubernetes cluster may lack.

use serde_json::json;

use super::{Row, set_spec};
use crate::fixture::World;
use crate::resources::Kind;

pub(super) const ROWS: &[Row] = &[
    Row {
        rule: "an Ingress that is no longer wanted goes",
        given: |world| set_spec(world, |spec| spec.exposure = None),
        says: &[("ExposureReady", "False", "NotRequested", ""), ("Ready", "True", "AsSpecified", "")],
        does: &["prune Ingress"],
    },
    Row {
        rule: "an Ingress without an address is not ready",
        given: |world| world.live(Kind::Ingress)["status"] = json!({}),
        says: &[
            ("ExposureReady", "False", "AddressPending", "nginx"),
            ("Ready", "False", "AddressPending", ""),
        ],
        does: &[],
    },
    Row {
        rule: "where nobody serves there is no URL",
        given: |world| world.live(Kind::Deployment)["status"]["readyReplicas"] = 0.into(),
        says: &[
            ("WorkloadAvailable", "False", "PodsNotReady", "0 of 2"),
            ("ExposureReady", "True", "AsSpecified", ""),
        ],
        does: &[],
    },
    Row {
        rule: "another way in leaves nothing of the first behind",
        given: |world| set_spec(world, |spec| spec.exposure = gateway()),
        says: &[("ExposureReady", "False", "RouteNotAccepted", "is `public` there")],
        does: &["apply HTTPRoute", "prune Ingress"],
    },
    Row {
        rule: "a route that a gateway has taken is served at its host name",
        given: through_gateway,
        says: &[("ExposureReady", "True", "AsSpecified", "https://chat.example/")],
        does: &[],
    },
    Row {
        rule: "a gateway that refuses the route is quoted",
        given: |world| {
            through_gateway(world);
            world.live(Kind::HttpRoute)["status"]["parents"][0]["conditions"] = json!([
                { "type": "Accepted", "status": "False", "reason": "NotAllowedByListeners", "message": "not from here" },
            ]);
        },
        says: &[(
            "ExposureReady",
            "False",
            "RouteNotAccepted",
            "Gateway `public` says NotAllowedByListeners: not from here",
        )],
        does: &[],
    },
    Row {
        rule: "kinds that the Kubernetes cluster does not have are named and not written",
        given: |world| {
            world.observed.lacking = [Kind::HttpRoute, Kind::PodMonitor].into();
            set_spec(world, |spec| {
                spec.exposure = gateway();
                spec.monitoring = Some(crds::Monitoring { pod_monitor: monitor(), rules: None });
            });
        },
        says: &[
            ("ExposureReady", "False", "KindMissing", "HTTPRoute (gateway.networking.k8s.io/v1): install it"),
            ("MonitoringReady", "False", "KindMissing", "PodMonitor (monitoring.coreos.com/v1)"),
            ("Ready", "False", "KindMissing", "HTTPRoute"),
        ],
        does: &["prune Ingress"],
    },
    Row {
        rule: "what watches a cluster does not decide whether it is ready",
        given: |world| {
            world.observed.lacking = [Kind::PodMonitor].into();
            let monitoring = crds::Monitoring { pod_monitor: monitor(), rules: None };
            set_spec(world, |spec| spec.monitoring = Some(monitoring));
        },
        says: &[("MonitoringReady", "False", "KindMissing", ""), ("Ready", "True", "AsSpecified", "")],
        does: &[],
    },
];

fn gateway() -> Option<crds::Exposure> {
    let gateway =
        json!({ "gateway": { "parentRefs": [{ "name": "public" }], "hostnames": ["chat.example"] } });
    serde_json::from_value(gateway).ok()
}

fn through_gateway(world: &mut World) {
    set_spec(world, |spec| spec.exposure = gateway());
    world.step();
}

fn monitor() -> Option<crds::PodMonitor> {
    serde_json::from_value(json!({})).ok()
}

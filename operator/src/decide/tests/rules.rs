//! One row for each rule of the decision.

use jiff::SignedDuration;
use serde_json::json;

use crate::cluster::InvalidSpec;
use crate::fixture::{self, World, broker_down};
use crate::observe::{BrokerState, SecretState, Seen};
use crate::plan::{BrokerAction, Finalizer, NodeOrder, Plan, Prune};
use crate::resources::Kind;

type Given = fn(&mut World);

/// A world that was as specified until `given` happened to it.
struct Row {
    rule: &'static str,
    given: Given,
    /// Type, status and reason of conditions, and a word of their message.
    says: &'static [(&'static str, &'static str, &'static str, &'static str)],
    /// What the plan changes, in words.
    does: &'static [&'static str],
}

/// What a plan changes, in words.
pub(in crate::decide) fn does(plan: &Plan) -> Vec<String> {
    let mut words = Vec::new();
    if plan.finalizer != Finalizer::Leave {
        words.push(format!("finalizer {:?}", plan.finalizer));
    }
    words.extend(plan.broker.iter().map(|action| match action {
        BrokerAction::Declare(exchange) => format!("declare {} {}", exchange.kind, exchange.name),
        BrokerAction::Delete(name) => format!("delete {name}"),
        BrokerAction::Reap(queue) => format!("reap {queue}"),
    }));
    words.extend(plan.marks.iter().map(|mark| format!("mark {} {:?}", mark.pod, mark.cost)));
    words.extend(plan.apply.iter().map(|object| format!("apply {}", object.kind)));
    words.extend(plan.prune.iter().map(|Prune { kind, .. }| format!("prune {kind}")));
    words.extend(plan.orders.iter().map(|NodeOrder { pod, order, .. }| {
        let listen: Vec<_> = order.listen.iter().map(|plan| plan.epoch).collect();
        format!("order {pod} {listen:?} {}", order.publish)
    }));
    words.extend(plan.retire.iter().map(|name| format!("retire {name}")));
    words.extend(plan.notices.iter().map(|notice| format!("tell {}", notice.reason)));
    words
}

fn set_spec(world: &mut World, change: impl FnOnce(&mut crds::VibeTalkClusterSpec)) {
    change(world.cluster.spec.as_mut().expect("the fixture's spec is valid"));
}

const ROWS: &[Row] = &[
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
    Row {
        rule: "a cluster that is told to sleep sets its autoscaler aside",
        given: |world| {
            autoscaled(world);
            set_spec(world, |spec| spec.replicas = Some(0));
        },
        says: &[
            ("WorkloadAvailable", "False", "Hibernating", "spec.replicas is 0"),
            ("AutoscalingActive", "False", "Hibernating", "set aside"),
            ("Ready", "False", "Hibernating", ""),
        ],
        does: &["mark pod-001 Some(-1)", "apply Deployment", "prune HorizontalPodAutoscaler"],
    },
    Row {
        rule: "and has it again when it wakes",
        given: |world| {
            autoscaled(world);
            for replicas in [0, 3] {
                set_spec(world, |spec| spec.replicas = Some(replicas));
                for _ in 0..(2 * (3 - replicas) / 3) {
                    world.step();
                }
            }
        },
        says: &[],
        does: &["apply Deployment", "apply HorizontalPodAutoscaler"],
    },
    Row {
        rule: "an autoscaler that fails is quoted",
        given: |world| {
            autoscaled(world);
            world.live(Kind::HorizontalPodAutoscaler)["status"] = json!({ "conditions": [
                { "type": "AbleToScale", "status": "True" },
                { "type": "ScalingActive", "status": "False", "reason": "FailedGetPodsMetric", "message": "no adapter" },
            ] });
        },
        says: &[
            ("AutoscalingActive", "False", "AutoscalerFailing", "FailedGetPodsMetric: no adapter"),
            ("Ready", "True", "AsSpecified", ""),
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
    Row {
        rule: "a missing exchange is declared",
        given: |world| world.exchanges().retain(|exchange| exchange.name != "vt.chat.demo.1.2"),
        says: &[("TopologyInSync", "False", "ExchangeMissing", "vt.chat.demo.1.2")],
        does: &["declare direct vt.chat.demo.1.2"],
    },
    Row {
        rule: "an exchange of another type is named and stays",
        given: |world| world.exchanges()[0].kind = "topic".to_owned(),
        says: &[("TopologyInSync", "False", "ExchangeMismatch", "type is topic, not direct")],
        does: &[],
    },
    Row {
        rule: "a queue whose node of the broker does not run is deleted",
        given: |world| {
            let health = &mut world.observed.broker_health;
            health.nodes.as_mut().unwrap()[1].running = false;
            health.stranded = vec!["srv.pod-001.c0ffee.1".to_owned()];
        },
        says: &[("TopologyInSync", "True", "AsSpecified", "not running: rabbit@two")],
        does: &["reap srv.pod-001.c0ffee.1"],
    },
    Row {
        rule: "a broker without a majority is not well, although it answers",
        given: |world| {
            let BrokerState::Failed(error) = broker_down() else { panic!("it is down") };
            world.observed.broker_health.refuses = Some(error);
        },
        says: &[
            ("TopologyInSync", "False", "BrokerUnhealthy", "takes no declares"),
            ("Ready", "False", "BrokerUnhealthy", ""),
        ],
        does: &[],
    },
    Row {
        rule: "a broker that takes no messages for want of memory is named with its node",
        given: |world| world.observed.broker_health.nodes.as_mut().unwrap()[0].mem_alarm = true,
        says: &[(
            "TopologyInSync",
            "False",
            "BrokerUnhealthy",
            "rabbit@one of the broker has too little memory",
        )],
        does: &[],
    },
    Row {
        rule: "a broker that is down changes nothing else",
        given: |world| world.observed.broker = broker_down(),
        says: &[
            ("TopologyInSync", "False", "BrokerUnreachable", "no answer in time"),
            ("WorkloadAvailable", "True", "AsSpecified", ""),
            ("Ready", "False", "BrokerUnreachable", ""),
        ],
        does: &[],
    },
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
    Row {
        rule: "growing is one step",
        given: |world| set_spec(world, |spec| spec.replicas = Some(9)),
        says: &[("WorkloadAvailable", "False", "PodsNotReady", "2 of 9")],
        does: &["apply Deployment"],
    },
    Row {
        rule: "shrinking begins with the pod that has the fewest users",
        given: |world| {
            *world.pods() = vec![fixture::pod("pod-001", 7), fixture::pod("pod-002", 5)];
            set_spec(world, |spec| spec.replicas = Some(1));
        },
        says: &[],
        does: &["mark pod-002 Some(-1)", "apply Deployment"],
    },
    Row {
        rule: "a mark from before is taken away when another pod is to go",
        given: |world| {
            *world.pods() = vec![fixture::pod("pod-001", 1), fixture::pod("pod-002", 5)];
            world.pod("pod-002").cost = Some(-1);
            set_spec(world, |spec| spec.replicas = Some(1));
        },
        says: &[],
        does: &["mark pod-001 Some(-1)", "mark pod-002 None", "apply Deployment"],
    },
    Row {
        rule: "the next step waits for a pod that is ending",
        given: |world| {
            world.pod("pod-002").ends_by = Some(world.now + SignedDuration::from_secs(30));
            set_spec(world, |spec| spec.replicas = Some(0));
        },
        says: &[("Progressing", "True", "PodsNotReady", "waiting for pod pod-002 to end")],
        does: &[],
    },
    Row {
        rule: "a pod on a lost machine is not waited for",
        given: |world| {
            world.pod("pod-002").ends_by = Some(world.now - SignedDuration::from_secs(11));
            set_spec(world, |spec| spec.replicas = Some(1));
        },
        says: &[],
        does: &["mark pod-001 Some(-1)", "apply Deployment"],
    },
    Row {
        rule: "deletion removes the exchanges, and then lets go",
        given: World::delete_cluster,
        says: &[],
        does: &[
            "finalizer Remove",
            "delete vt.chat.demo.1.0",
            "delete vt.chat.demo.1.1",
            "delete vt.chat.demo.1.2",
            "delete vt.chat.demo.1.3",
            "delete vt.chat.demo.control",
        ],
    },
    Row {
        rule: "deletion leaves retained exchanges",
        given: |world| {
            if let Some(rabbitmq) = &mut world.cluster.rabbitmq {
                rabbitmq.deletion_policy = crds::DeletionPolicy::Retain;
            }
            world.delete_cluster();
        },
        says: &[],
        does: &["finalizer LetGo"],
    },
    Row {
        rule: "deletion waits for a broker that is down",
        given: |world| {
            world.observed.broker = broker_down();
            world.delete_cluster();
            world.now += SignedDuration::from_secs(29);
        },
        says: &[("Ready", "False", "Deleting", "no answer in time")],
        does: &[],
    },
    Row {
        rule: "but not for ever",
        given: |world| {
            world.observed.broker = broker_down();
            world.delete_cluster();
            world.now += SignedDuration::from_secs(30);
        },
        says: &[],
        does: &["finalizer LetGo", "tell ExchangesLeft"],
    },
    Row {
        rule: "deletion does not wait for a Secret that is gone",
        given: |world| {
            world.observed.broker = BrokerState::NotAsked;
            world.observed.secrets.rabbitmq = SecretState::Missing("mq".to_owned());
            world.delete_cluster();
        },
        says: &[],
        does: &["finalizer LetGo", "tell ExchangesLeft"],
    },
    Row {
        rule: "a resource that was let go is left alone",
        given: |world| {
            world.cluster.held = false;
            world.delete_cluster();
        },
        says: &[],
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

fn autoscaled(world: &mut World) {
    set_spec(world, |spec| spec.autoscaling = serde_json::from_value(json!({ "maxReplicas": 5 })).ok());
    world.step();
}

fn unreachable_store() -> Seen<crds::NodeReport> {
    let Seen::Known(mut report) = fixture::pod("any", 0).report else { panic!("the fixture reports") };
    report.store = crds::node::Dependency::Unreachable { reason: "connection refused".to_owned() };
    Seen::Known(report)
}

#[test]
fn every_rule_holds() {
    for row in ROWS {
        let mut world = World::converged(fixture::cluster(|_| {}));
        (row.given)(&mut world);
        let plan = world.plan();
        assert_eq!(does(&plan), row.does, "{}", row.rule);
        for (type_, status, reason, word) in row.says {
            let (seen_status, seen_reason, message) = World::condition(&plan, type_);
            assert_eq!(
                (seen_status.as_str(), seen_reason.as_str()),
                (*status, *reason),
                "{}: {type_}",
                row.rule
            );
            assert!(message.contains(word), "{}: {type_} says {message:?}", row.rule);
        }
    }
}

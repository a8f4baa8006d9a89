//! What holds for any spec and anything that may be observed.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use super::deployment_replicas;
use super::rules::does;
use crate::cluster::Cluster;
use crate::fixture::{self, World, broker_down};
use crate::observe::{BrokerState, SecretState, Seen};
use crate::plan::Plan;
use crate::resources::Kind;

/// Each is a whole life of a cluster, some milliseconds.
const CASES: u32 = 16;

/// What may have happened to an object since it was written.
#[derive(Clone, Copy, Debug)]
enum Fate {
    AsIs,
    Deleted,
    Unsure,
    Changed,
    Unread,
    Taken,
    Going,
}

/// What may have happened to a converged world.
#[derive(Clone, Debug)]
struct Disturbance {
    fates: Vec<Fate>,
    lacking: BTreeSet<Kind>,
    broker: u8,
    secrets: u8,
    pods: Vec<(u32, bool, bool)>,
    live_replicas: i64,
}

fn exposure() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (any::<bool>(), 0_usize..5).prop_map(|(tls, controller)| {
            let controllers = ["IngressNginx", "F5Nginx", "AwsAlb", "AzureApplicationGateway", "Other"];
            let tls = tls.then(|| json!({ "secretName": "tls" }));
            json!({ "ingress": { "controller": controllers[controller], "host": "chat.example", "tls": tls } })
        }),
        Just(json!({ "gateway": { "parentRefs": [{ "name": "public" }], "hostnames": ["chat.example"] } })),
    ]
}

fn autoscaling() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        proptest::option::of(1_i32..100)
            .prop_map(|cpu| json!({ "maxReplicas": 30, "targetCPUUtilization": cpu })),
        any::<bool>().prop_map(|keda| {
            let keda = keda.then(|| json!({ "prometheus": "http://prometheus" }));
            json!({ "maxReplicas": 30, "targetConnections": 9000, "keda": keda })
        }),
    ]
}

prop_compose! {
    fn any_cluster()(
        replicas in 0_i32..12,
        step in 1_i32..5,
        partitions in 1_u16..=256,
        exposure in exposure(),
        autoscaling in autoscaling(),
        [pod_monitor, rules, policy, spread] in any::<[bool; 4]>(),
    ) -> Cluster {
        fixture::cluster(|spec| {
            spec["replicas"] = replicas.into();
            spec["drain"] = json!({ "maxConcurrent": step });
            spec["rabbitmq"]["partitions"] = partitions.into();
            spec["exposure"] = exposure.clone();
            spec["autoscaling"] = autoscaling.clone();
            let monitor = |wanted: bool| wanted.then(|| json!({}));
            spec["monitoring"] = json!({ "podMonitor": monitor(pod_monitor), "rules": monitor(rules) });
            spec["networkPolicy"] = json!({ "enabled": policy });
            if spread {
                spec["pod"] = json!({ "topologySpread": [{ "topologyKey": "rack" }], "env": [{ "name": "A", "value": "b" }] });
            }
        })
    }
}

prop_compose! {
    fn any_disturbance()(
        fates in proptest::collection::vec(
            prop_oneof![
                4 => Just(Fate::AsIs), 1 => Just(Fate::Deleted), 1 => Just(Fate::Unsure), 1 => Just(Fate::Changed),
                1 => Just(Fate::Unread), 1 => Just(Fate::Taken), 1 => Just(Fate::Going),
            ],
            Kind::ALL.len(),
        ),
        lacking in subsequence(Kind::ALL.into_iter().filter(|kind| kind.is_optional()).collect::<Vec<_>>(), 0..=4),
        broker in 0_u8..4,
        secrets in 0_u8..4,
        pods in proptest::collection::vec((0_u32..99, any::<bool>(), any::<bool>()), 0..12),
        live_replicas in 0_i64..20,
    ) -> Disturbance {
        Disturbance { fates, lacking: lacking.into_iter().collect(), broker, secrets, pods, live_replicas }
    }
}

/// A world that had converged on one spec, was disturbed, and is to become another.
fn disturbed(before: Cluster, after: Cluster, disturbance: &Disturbance) -> World {
    let mut world = World::converged(before);
    if world.observed.children.get(Kind::Deployment).is_some() {
        world.live(Kind::Deployment)["spec"]["replicas"] = disturbance.live_replicas.into();
    }
    for (kind, fate) in Kind::ALL.into_iter().zip(&disturbance.fates) {
        befall(&mut world, kind, *fate);
    }
    for kind in &disturbance.lacking {
        world.observed.children.0.insert(*kind, Seen::Known(None));
    }
    world.observed.lacking.clone_from(&disturbance.lacking);
    match disturbance.broker {
        0 => world.observed.broker = broker_down(),
        1 => world.observed.broker = BrokerState::NotAsked,
        2 => world.exchanges().truncate(1),
        _ => {}
    }
    if disturbance.secrets == 0 {
        world.observed.secrets.mongodb = SecretState::Missing("db".to_owned());
        (world.observed.secrets.digest, world.observed.secrets.ports) = (None, None);
    }
    let pods = disturbance.pods.iter().zip(1..).map(|((connections, ready, ends), nth)| {
        let mut pod = fixture::pod(&format!("pod-{nth:03}"), *connections);
        pod.ready = *ready;
        pod.ends_by = ends.then(|| world.now + SignedDuration::from_secs(20));
        pod
    });
    let pods = pods.collect();
    *world.pods() = pods;
    world.cluster = Cluster { held: true, status: world.cluster.status, ..after };
    world
}

fn befall(world: &mut World, kind: Kind, fate: Fate) {
    if world.observed.children.get(kind).is_none() {
        return;
    }
    match fate {
        Fate::AsIs => {}
        Fate::Deleted => drop(world.observed.children.0.insert(kind, Seen::Known(None))),
        Fate::Unsure => {
            world.observed.children.0.insert(kind, Seen::Known(None));
            world.observed.unsure.insert(kind);
        }
        Fate::Unread => drop(world.observed.children.0.insert(kind, Seen::Unknown("403".to_owned()))),
        Fate::Changed => world.live(kind)["metadata"]["labels"] = json!({}),
        Fate::Taken => world.live(kind)["metadata"]["ownerReferences"] = json!([{ "uid": "other" }]),
        Fate::Going => world.live(kind)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
    }
}

fn applied(plan: &Plan, kind: Kind) -> Option<&Value> {
    plan.apply.iter().find(|object| object.kind == kind).map(|object| &object.body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_spec_converges_and_is_then_left_alone(cluster in any_cluster()) {
        let world = World::converged(cluster);
        let plan = world.plan();
        prop_assert!(plan.is_empty(), "{:?}", does(&plan));
        prop_assert_eq!(&plan.status, &world.cluster.status);
    }

    #[test]
    fn every_change_of_a_spec_converges_and_leaves_nothing_behind(before in any_cluster(), after in any_cluster()) {
        let mut world = World::converged(before);
        world.cluster.spec = after.spec.clone();
        for _ in 0..16 {
            if world.step().is_empty() {
                break;
            }
        }
        prop_assert!(world.plan().is_empty(), "{:?}", does(&world.plan()));
        let fresh = World::converged(after);
        for kind in Kind::ALL {
            let spec = |world: &World| world.observed.children.get(kind).map(|live| live["spec"].clone());
            prop_assert_eq!(spec(&world), spec(&fresh), "{}", kind);
        }
    }

    #[test]
    fn the_same_facts_give_the_same_plan(before in any_cluster(), after in any_cluster(), what in any_disturbance()) {
        let world = disturbed(before, after, &what);
        prop_assert_eq!(world.plan(), world.plan());
    }

    #[test]
    fn replicas_fall_by_at_most_the_allowed_step(before in any_cluster(), after in any_cluster(), what in any_disturbance()) {
        let world = disturbed(before, after, &what);
        let plan = world.plan();
        if let (Some(body), Ok(spec)) = (applied(&plan, Kind::Deployment), &world.cluster.spec) {
            let next = body["spec"]["replicas"].as_i64().unwrap_or(0);
            let wanted = i64::from(spec.wanted_replicas());
            if world.observed.children.get(Kind::Deployment).is_some() {
                let live = deployment_replicas(&world);
                prop_assert!(live - next <= i64::from(spec.drain.max_concurrent), "{live} to {next}");
                prop_assert!(next >= wanted, "{next} is less than {wanted}");
            }
            let marked = plan.marks.iter().filter(|mark| mark.cost.is_some()).count();
            prop_assert!(marked <= usize::try_from(spec.drain.max_concurrent).unwrap_or(0));
        }
    }

    #[test]
    fn replicas_have_one_writer(before in any_cluster(), after in any_cluster(), what in any_disturbance()) {
        let world = disturbed(before, after, &what);
        let plan = world.plan();
        let autoscalers = [Kind::HorizontalPodAutoscaler, Kind::ScaledObject];
        for body in autoscalers.into_iter().filter_map(|kind| applied(&plan, kind)) {
            prop_assert_eq!(&body["spec"]["scaleTargetRef"]["kind"], "VibeTalkCluster");
        }
        let wanted = autoscalers.into_iter().filter(|kind| applied(&plan, *kind).is_some());
        prop_assert!(wanted.count() < 2, "two autoscalers: {:?}", does(&plan));
        let own = |kind: Kind| {
            let live = world.observed.children.get(kind);
            live.is_some_and(|live| live["metadata"]["ownerReferences"][0]["uid"] == world.cluster.uid.as_str()
                && live["metadata"]["deletionTimestamp"].is_null())
        };
        for [one, other] in [autoscalers, [autoscalers[1], autoscalers[0]]] {
            let both = applied(&plan, one).is_some() && own(other);
            prop_assert!(!both || plan.prune.iter().any(|prune| prune.kind == other), "{:?}", does(&plan));
        }
    }

    #[test]
    fn what_is_not_known_or_not_ones_own_is_never_touched(
        before in any_cluster(), after in any_cluster(), what in any_disturbance(),
    ) {
        let world = disturbed(before, after, &what);
        let plan = world.plan();
        let touched: BTreeSet<_> = plan.apply.iter().map(|object| object.kind)
            .chain(plan.prune.iter().map(|prune| prune.kind)).collect();
        for object in &plan.apply {
            prop_assert_eq!(object.is_new(), world.observed.unsure.contains(&object.kind), "{}", object.kind);
        }
        for kind in touched {
            prop_assert!(!world.observed.lacks(kind), "{kind} is not there");
            match &world.observed.children.0[&kind] {
                Seen::Unknown(_) => prop_assert!(false, "{kind} was not read"),
                Seen::Known(Some(live)) => {
                    prop_assert_eq!(&live["metadata"]["ownerReferences"][0]["uid"], world.cluster.uid.as_str());
                }
                Seen::Known(None) => {}
            }
        }
    }

    #[test]
    fn a_paused_or_going_cluster_gets_no_objects(
        before in any_cluster(), after in any_cluster(), what in any_disturbance(), paused: bool,
    ) {
        let mut world = disturbed(before, after, &what);
        if paused {
            if let Ok(spec) = &mut world.cluster.spec {
                spec.paused = true;
            }
            prop_assert!(world.plan().is_empty());
        } else {
            world.delete_cluster();
            let plan = world.plan();
            prop_assert!(plan.apply.is_empty() && plan.prune.is_empty() && plan.marks.is_empty());
        }
    }
}

//! What holds for every world; the single rules are rows of a table beside this file.

mod properties;
pub(super) mod rules;

use crds::condition::ConditionType;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use self::rules::does;
use crate::cluster::Cluster;
use crate::fixture::{self, World, broker_down};
use crate::observe::SecretState;
use crate::plan::{Plan, Requeue};
use crate::resources::Kind;

#[test]
fn the_first_visit_holds_the_resource_and_makes_everything_in_order() {
    let plan = World::new(fixture::cluster(|spec| spec["rabbitmq"]["partitions"] = 1.into())).plan();
    assert_eq!(
        does(&plan),
        [
            "finalizer Add",
            "declare direct vt.chat.demo.1.0",
            "declare fanout vt.chat.demo.control",
            "apply ServiceAccount",
            "apply ConfigMap",
            "apply Service",
            "apply NetworkPolicy",
            "apply Deployment",
            "apply PodDisruptionBudget",
            "apply Ingress",
        ]
    );
    assert_eq!(plan.status.conditions.len(), ConditionType::ALL.len());
    assert_eq!(plan.requeue, Requeue::Soon);
}

#[test]
fn without_its_secrets_a_new_cluster_gets_no_pods() {
    let mut world = World::new(fixture::cluster(|_| {}));
    world.observed.secrets.auth = SecretState::Missing("auth".to_owned());
    world.observed.secrets.digest = None;
    assert!(world.plan().apply.iter().all(|object| object.kind != Kind::Deployment));
}

#[test]
fn a_conditions_time_moves_only_when_its_status_flips() {
    let mut world = World::converged(fixture::cluster(|_| {}));
    let time = |plan: &Plan| plan.status.conditions[0].last_transition_time.0;
    let before = time(&world.plan());
    world.now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
    assert_eq!(time(&world.plan()), before);
    world.observed.broker = broker_down();
    assert_eq!(time(&world.plan()), world.now);
}

#[test]
fn the_url_follows_host_and_tls() {
    let url = |ingress: serde_json::Value| {
        World::converged(fixture::cluster(|spec| spec["exposure"]["ingress"] = ingress)).plan().status.url
    };
    assert_eq!(url(json!({})).as_deref(), Some("http://10.0.0.9/"));
    let tls = json!({ "host": "chat.example", "tls": { "secretName": "t" } });
    assert_eq!(url(tls).as_deref(), Some("https://chat.example/"));
}

/// No client, no clock, no randomness in here: what cannot be named cannot be used.
#[test]
fn the_decision_cannot_see_the_outside() {
    let sources = [
        include_str!("../decide.rs"),
        include_str!("autoscaling.rs"),
        include_str!("conditions.rs"),
        include_str!("drift.rs"),
        include_str!("exposure.rs"),
        include_str!("monitoring.rs"),
        include_str!("scaling.rs"),
        include_str!("secrets.rs"),
        include_str!("teardown.rs"),
        include_str!("topology.rs"),
        include_str!("topology/course.rs"),
        include_str!("topology/exchanges.rs"),
        include_str!("topology/fleet.rs"),
        include_str!("topology/health.rs"),
        include_str!("topology/order.rs"),
        include_str!("topology/steps.rs"),
        include_str!("topology/verdict.rs"),
        include_str!("workload.rs"),
    ];
    for source in sources {
        for word in ["Client", "::now()", "fastrand", "async ", "tokio", "reqwest", "HashMap"] {
            assert!(!source.contains(word), "{word} in: {source}");
        }
    }
}

fn deployment_replicas(world: &World) -> i64 {
    let deployment = world.observed.children.get(Kind::Deployment);
    deployment.and_then(|live| live["spec"]["replicas"].as_i64()).unwrap_or(0)
}

fn resized(replicas: i32, max_concurrent: i32) -> Cluster {
    fixture::cluster(|spec| {
        spec["replicas"] = replicas.into();
        spec["drain"] = json!({ "maxConcurrent": max_concurrent });
    })
}

proptest! {
    // Every case is a whole life of a cluster.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn replicas_fall_by_at_most_the_allowed_step_and_arrive(
        from in 1_i32..30,
        to in 0_i32..30,
        step in 1_i32..5,
        connections in proptest::collection::vec(0_u32..100, 30),
    ) {
        let mut world = World::converged(resized(from, step));
        for (pod, connections) in world.pods().iter_mut().zip(connections) {
            pod.report = fixture::pod("any", connections).report;
        }
        let resized = resized(to, step);
        world.cluster.spec = resized.spec;
        for _ in 0..31 {
            let before = deployment_replicas(&world);
            let is_done = world.step().is_empty();
            prop_assert!(before - deployment_replicas(&world) <= i64::from(step));
            if is_done {
                break;
            }
        }
        prop_assert_eq!(deployment_replicas(&world), i64::from(to));
        prop_assert!(world.plan().is_empty());
    }
}

//! How many chat nodes there are.

use jiff::SignedDuration;
use serde_json::json;

use super::{Row, set_spec};
use crate::fixture::{self, World};
use crate::resources::Kind;

pub(super) const ROWS: &[Row] = &[
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
];

fn autoscaled(world: &mut World) {
    set_spec(world, |spec| spec.autoscaling = serde_json::from_value(json!({ "maxReplicas": 5 })).ok());
    world.step();
}

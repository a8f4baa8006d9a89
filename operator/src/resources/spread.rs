//! Where the chat nodes' pods are put, so that one machine or zone that fails takes few of them.

use crds::{TopologySpread, WhenUnsatisfiable};
use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};

use super::{Blueprint, match_labels};

const MACHINE: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
/// The most that Kubernetes takes.
const WEIGHT: i32 = 100;

/// What the user wishes, or that the pods of one version are spread over machines.
pub(super) fn constraints(blueprint: &Blueprint<'_>) -> Vec<TopologySpreadConstraint> {
    let over_machines = || {
        let when_unsatisfiable = WhenUnsatisfiable::ScheduleAnyway;
        vec![TopologySpread { topology_key: MACHINE.to_owned(), max_skew: 1, when_unsatisfiable }]
    };
    let constraint = |spread: TopologySpread| TopologySpreadConstraint {
        max_skew: spread.max_skew,
        topology_key: spread.topology_key,
        when_unsatisfiable: match spread.when_unsatisfiable {
            WhenUnsatisfiable::ScheduleAnyway => "ScheduleAnyway",
            WhenUnsatisfiable::DoNotSchedule => "DoNotSchedule",
        }
        .to_owned(),
        label_selector: Some(match_labels(blueprint)),
        // Old pods of a rolling update do not count, else the new ones land unevenly.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    };
    let wanted = blueprint.spec.pod.topology_spread.clone().unwrap_or_else(over_machines);
    wanted.into_iter().map(constraint).collect()
}

/// Where the user does not say, zones with fewer of the pods are liked more. That is no constraint, as the scheduler
/// passes over every machine that lacks the label of one of them: where there are no zones, none would count.
pub(super) fn affinity(blueprint: &Blueprint<'_>) -> Option<Affinity> {
    if blueprint.spec.pod.topology_spread.is_some() {
        return None;
    }
    let term = PodAffinityTerm {
        topology_key: ZONE.to_owned(),
        label_selector: Some(match_labels(blueprint)),
        ..PodAffinityTerm::default()
    };
    let liked = vec![WeightedPodAffinityTerm { weight: WEIGHT, pod_affinity_term: term }];
    let apart = PodAntiAffinity {
        preferred_during_scheduling_ignored_during_execution: Some(liked),
        ..PodAntiAffinity::default()
    };
    Some(Affinity { pod_anti_affinity: Some(apart), ..Affinity::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::Cluster;
    use crate::fixture;
    use crate::resources::tests::blueprint;

    fn keys(cluster: &Cluster) -> Vec<(String, String)> {
        let constraints = constraints(&blueprint(cluster)).into_iter();
        constraints.map(|one| (one.topology_key, one.when_unsatisfiable)).collect()
    }

    #[test]
    fn where_machines_have_no_zone_they_are_spread_over_all_the_same() {
        let cluster = fixture::cluster(|_| {});
        assert_eq!(keys(&cluster), [(MACHINE.to_owned(), "ScheduleAnyway".to_owned())]);
        let affinity = serde_json::to_value(affinity(&blueprint(&cluster))).unwrap();
        let liked = &affinity["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
        assert_eq!(liked[0]["podAffinityTerm"]["topologyKey"], ZONE);
    }

    #[test]
    fn a_user_who_says_how_decides_alone() {
        let own = json!([{ "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule" }]);
        let own = fixture::cluster(|spec| spec["pod"] = json!({ "topologySpread": own }));
        assert_eq!(keys(&own), [("rack".to_owned(), "DoNotSchedule".to_owned())]);
        let none = fixture::cluster(|spec| spec["pod"] = json!({ "topologySpread": [] }));
        assert!(keys(&none).is_empty() && affinity(&blueprint(&none)).is_none());
    }
}

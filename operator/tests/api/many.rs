//! Many clusters at once, and the operator as a process. How long it takes is for `benches/thousand`.

use std::sync::atomic::Ordering;

use kube::api::{ListParams, Patch, PatchParams};
use operator::cluster::RawCluster;
use serde_json::json;

use crate::namespace::{Namespace, eventually, spec};
use crate::program::Program;

const COUNT: usize = 50;
const VISITS: &str = "vibetalk_operator_reconciles_total";
const WRITES: &str = "vibetalk_operator_api_writes_total";
/// What is written for each cluster, once.
const ONCE: [(&str, &str); 9] = [
    ("VibeTalkCluster", "apply"),
    ("ServiceAccount", "apply"),
    ("ConfigMap", "apply"),
    ("Service", "apply"),
    ("NetworkPolicy", "apply"),
    ("Deployment", "apply"),
    ("PodDisruptionBudget", "apply"),
    ("Event", "create"),
    ("VibeTalkCluster", "status"),
];

async fn explained(namespace: &Namespace) -> usize {
    let clusters = namespace.api::<RawCluster>().list(&ListParams::default()).await.unwrap();
    clusters.items.iter().filter(|raw| raw.status["observedGeneration"] == 1).count()
}

#[tokio::test]
async fn fifty_clusters_are_each_written_once_and_then_left_alone() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.broker.state.page.store(500, Ordering::SeqCst);
    let kubeconfig = namespace.server.kubeconfig(&namespace.name);
    let operator = Program::start(&kubeconfig, (&namespace.name, "only"), &namespace.name);
    for number in 0..COUNT {
        namespace.make(&format!("chat-{number}"), spec()).await;
    }
    for share in 1..=5 {
        let part = COUNT * share / 5;
        eventually(&format!("{part} are explained"), async || explained(&namespace).await >= part).await;
    }

    let visits = operator.count(VISITS).await;
    let look = Patch::Merge(json!({ "metadata": { "annotations": { "look": "again" } } }));
    for number in 0..COUNT {
        let name = format!("chat-{number}");
        namespace.api::<RawCluster>().patch(&name, &PatchParams::default(), &look).await.unwrap();
    }
    eventually("all are looked at again", async || operator.count(VISITS).await >= visits + COUNT).await;
    // On a busy machine a call may take too long, which is then made once more.
    let failed = operator.count(VISITS).await - operator.count(&format!("{VISITS}{{result=\"ok\"}}")).await;
    let metrics = operator.get("/metrics").await.unwrap();
    for (kind, verb) in ONCE {
        let series = format!("{WRITES}{{kind=\"{kind}\",verb=\"{verb}\"}}");
        let count = operator.count(&series).await;
        assert!((COUNT..=COUNT + failed).contains(&count), "{count} times {verb} {kind}: {metrics}");
    }
    let kinds = metrics.lines().filter(|line| line.starts_with(WRITES)).count();
    assert_eq!(kinds, ONCE.len(), "{metrics}");
    operator.end().await;
}

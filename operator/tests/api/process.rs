//! The program itself: lease, admin port, and its end.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;

use crate::namespace::{Namespace, eventually, spec};
use crate::program::Program;

const VISITS: &str = "vibetalk_operator_reconciles_total{result=\"ok\"}";
const WRITES: &str = "vibetalk_operator_api_writes_total";

fn start(namespace: &Namespace, name: &str) -> Program {
    let kubeconfig = namespace.server.kubeconfig(&namespace.name);
    Program::start(&kubeconfig, (&namespace.name, name), &namespace.name)
}

async fn holder(namespace: &Namespace) -> Option<String> {
    let lease = namespace.api::<Lease>().get_opt("vibetalk-operator").await.unwrap()?;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

#[tokio::test]
async fn the_second_operator_takes_over_when_the_first_ends_and_changes_nothing() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    let first = start(&namespace, "first");
    eventually("the first works", async || namespace.has::<Deployment>("demo").await).await;
    assert_eq!(holder(&namespace).await.as_deref(), Some("first"));
    let second = start(&namespace, "second");
    eventually("the second is ready without the lease", async || second.get("/readyz").await.is_some()).await;
    let writes = first.get("/metrics").await.unwrap();
    assert!(
        writes.contains("vibetalk_operator_api_writes_total{kind=\"Deployment\",verb=\"apply\"} 1"),
        "{writes}"
    );

    first.end().await;
    let handed_back = Instant::now();
    eventually("the second holds the lease", async || holder(&namespace).await.as_deref() == Some("second"))
        .await;
    let waited = handed_back.elapsed();
    assert!(waited < Duration::from_secs(4), "the second waited {waited:?}, as if the first had died");
    eventually("the second has looked at the cluster", async || second.count(VISITS).await > 0).await;
    let metrics = second.get("/metrics").await.unwrap();
    assert!(!metrics.contains(WRITES), "{metrics}");
    second.end().await;
    assert_eq!(holder(&namespace).await, None);
}

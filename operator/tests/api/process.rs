//! The program itself: lease, admin port, and its end.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use tokio::process::{Child, Command};

use crate::namespace::{Namespace, eventually, spec};

struct Operator {
    process: Child,
    admin: String,
}

fn start(namespace: &Namespace, name: &str) -> Operator {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = Command::new(env!("CARGO_BIN_EXE_vibetalk-operator"))
        .args(["run", "--admin-listen", &format!("127.0.0.1:{port}"), "--namespaces", &namespace.name])
        .env("KUBECONFIG", namespace.server.kubeconfig(&namespace.name))
        .env("POD_NAMESPACE", &namespace.name)
        .env("POD_NAME", name)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    Operator { process, admin: format!("http://127.0.0.1:{port}") }
}

impl Operator {
    async fn get(&self, path: &str) -> Option<String> {
        let response = reqwest::get(format!("{}{path}", self.admin)).await.ok()?;
        response.error_for_status().ok()?.text().await.ok()
    }

    async fn end(mut self) {
        let pid = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let ended = tokio::time::timeout(Duration::from_secs(10), self.process.wait()).await;
        assert!(ended.expect("it ends in time").unwrap().success());
    }
}

async fn holder(namespace: &Namespace) -> Option<String> {
    let lease = namespace.api::<Lease>().get_opt("vibetalk-operator").await.unwrap()?;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

#[tokio::test]
async fn the_second_operator_takes_over_when_the_first_ends_and_changes_nothing() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    operator::http::client().unwrap();
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
    let visited = "vibetalk_operator_reconciles_total{result=\"ok\"}";
    eventually("the second has looked at the cluster", async || {
        second.get("/metrics").await.is_some_and(|metrics| metrics.contains(visited))
    })
    .await;
    let metrics = second.get("/metrics").await.unwrap();
    assert!(!metrics.contains("vibetalk_operator_api_writes_total"), "{metrics}");
    second.end().await;
    assert_eq!(holder(&namespace).await, None);
}

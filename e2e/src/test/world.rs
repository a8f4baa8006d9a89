//! What the cluster tests act in: the running local cluster with the example on it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::VibeTalkCluster;
use crds::node::{ADMIN_PORT, NodeReport, REPORT_PATH};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::broker::Management;
use crate::client::{Chat, Gateway, SigningKey, User};
use crate::cluster::Local;
use crate::eventually::eventually;
use crate::product::{DEMO, DEMO_NAMESPACE, Target, credentials};

/// How long chat nodes may take to come or go.
pub const ROLL: Duration = Duration::from_secs(120);

/// The running cluster.
pub struct World {
    /// The cluster's parts on this machine.
    pub local: Local,
    /// What runs on it.
    pub target: Target,
    /// The API server.
    pub client: kube::Client,
    /// The broker.
    pub broker: Management,
    /// The way in.
    pub gateway: Gateway,
    /// Signs the example's users' tokens.
    pub key: SigningKey,
}

impl World {
    /// The world with the example as `up` left it.
    pub async fn open(local: Local, target: Target) -> Result<Arc<Self>> {
        let client = target.access.client().await?;
        let url = target.chat_url.as_deref().context("the local cluster has no chat URL")?;
        Ok(Arc::new(Self {
            broker: Management::new(&target.backends.broker)?,
            gateway: Gateway::at(url)?,
            key: credentials::signing_key(&client, DEMO_NAMESPACE).await?,
            client,
            local,
            target,
        }))
    }

    /// Signs a user in at the example.
    pub async fn sign_in(&self, id: &str) -> Result<Chat> {
        Chat::sign_in(&self.gateway, &self.key, &User::new(id, id)).await
    }

    /// Signs a user in at another server of the example than `others`.
    pub async fn sign_in_elsewhere(&self, id: &str, others: &[u16]) -> Result<Chat> {
        Chat::sign_in_elsewhere(&self.gateway, (&self.key, &User::new(id, id)), others).await
    }

    /// The example.
    pub async fn demo(&self) -> Result<VibeTalkCluster> {
        let clusters: Api<VibeTalkCluster> = Api::namespaced(self.client.clone(), DEMO_NAMESPACE);
        Ok(clusters.get(DEMO).await?)
    }

    /// `kubectl scale vtc/demo`. The example's pods, when `replicas` are ready, no other is left, and the status says so.
    pub async fn scale_demo(&self, replicas: usize) -> Result<Vec<Pod>> {
        let number = format!("--replicas={replicas}");
        let scale = ["scale", "vtc/demo", &number, "--namespace", DEMO_NAMESPACE];
        self.target.access.kubectl(scale).output().await?;
        let what = format!("the example has {replicas} ready pods and no other");
        eventually(&what, ROLL, || async {
            let pods = self.pods(DEMO_NAMESPACE, DEMO).await?;
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            ensure!(ready == replicas && pods.len() == replicas, "{ready} of {} pods are ready", pods.len());
            let status = self.demo().await?.status.context("no status")?;
            let said = usize::try_from(status.ready_replicas)?;
            ensure!(said == replicas, "the status says {said} ready replicas");
            Ok(pods)
        })
        .await
    }

    /// The chat nodes of a cluster, ready or not.
    pub async fn pods(&self, namespace: &str, cluster: &str) -> Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        Ok(pods.list(&ListParams::default().labels(&selector(cluster))).await?.items)
    }

    /// What a chat node says of itself.
    pub async fn report(&self, pod: &Pod) -> Result<NodeReport> {
        let name = pod.name_any();
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
        let address = address.with_context(|| format!("the pod {name} has no address"))?;
        let url = format!("http://{address}:{ADMIN_PORT}{REPORT_PATH}");
        let response = reqwest::Client::new().get(&url).timeout(Duration::from_secs(5)).send().await?;
        if !response.status().is_success() {
            bail!("{name} answers {} at {url}", response.status());
        }
        response.json().await.with_context(|| format!("{name} gives no report at {url}"))
    }

    /// The server ids of chat nodes, each once, in order.
    pub async fn server_ids(&self, pods: &[Pod]) -> Result<Vec<u16>> {
        let mut ids = Vec::new();
        for pod in pods {
            let report = self.report(pod).await?;
            ids.push(report.server_id.with_context(|| format!("{} has no server id", report.node))?);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

/// Selects the children of a cluster.
pub fn selector(cluster: &str) -> String {
    format!("app.kubernetes.io/name=chat-node,app.kubernetes.io/instance={cluster}")
}

/// Whether a pod serves and stays.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// The node that a pod is on.
pub fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

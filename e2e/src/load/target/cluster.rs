//! The local cluster, as users reach it.

mod partitions;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use crds::VibeTalkCluster;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::{Service, Started, limits};
use crate::binaries::Binaries;
use crate::client::Gateway;
use crate::cluster::Local;
use crate::eventually::eventually;
use crate::load::generator::Way;
use crate::load::meter::{Processes, Role};
use crate::load::profile::{Fault, Profile};
use crate::paths::Paths;
use crate::product::{self, DEMO, DEMO_NAMESPACE, credentials, example};
use crate::progress::Progress;

/// What runs on the local cluster, by the names of the programs; the kernel keeps 15 letters of a name.
const PROGRAMS: [(Role, &[&str]); 5] = [
    (Role::Server, &["chat-node"]),
    (Role::Broker, &["beam.smp", "erl_child_setup", "inet_gethost", "epmd"]),
    (Role::Store, &["ferretdb", "postgres"]),
    (Role::Proxy, &["nginx", "nginx-ingress-c"]),
    (
        Role::Kubernetes,
        &[
            "kubelet",
            "kube-apiserver",
            "kube-controller",
            "kube-scheduler",
            "kube-proxy",
            "etcd",
            "containerd",
            "containerd-shim",
            "coredns",
            "metrics-server",
            "vibetalk-operat",
        ],
    ),
];

/// Selects the example's chat nodes.
const CHAT_NODES: &str = "app.kubernetes.io/name=chat-node,app.kubernetes.io/instance=demo";

/// How long the example may take to be what the profile asks for.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// The example on the local cluster, changed for a run.
pub struct LocalCluster {
    client: Client,
    /// How the example was before.
    before: VibeTalkCluster,
}

/// The example on the local cluster, with the key that its links are signed with.
pub async fn find(paths: &Paths, profile: &Profile, progress: &Progress) -> Result<Service> {
    if !paths.kubeconfig().is_file() {
        bail!("there is no local cluster; start it by `cargo e2e up`");
    }
    let local = Local::running(paths, &Binaries::locate(paths)?);
    let target = product::Target::local(&local)?;
    let client = target.access.client().await?;
    let url = target.chat_url.context("the local cluster has no address")?;
    let Gateway { address, host } = Gateway::at(&url)?;
    let key = credentials::signing_key(&client, DEMO_NAMESPACE).await?;
    let changed = LocalCluster::change(client, &profile.cluster);
    let cluster = progress.step("fit the example for the run", changed).await?;
    Ok(Service {
        way: Way::plain(vec![address], host),
        key,
        watched: PROGRAMS.map(|(role, names)| (role, Processes::Named(names))).to_vec(),
        versions: vec![("chat-node".to_owned(), target.images.chat_node)],
        keeps_apart: false,
        started: Started::Cluster(Box::new(cluster)),
    })
}

impl LocalCluster {
    /// Raises the example's limits, and merges `spec` into it; back when it is ready again.
    async fn change(client: Client, spec: &Map<String, Value>) -> Result<Self> {
        let clusters: Api<VibeTalkCluster> = Api::namespaced(client.clone(), DEMO_NAMESPACE);
        let before = clusters.get(DEMO).await.context("the example is not there; run `cargo e2e up`")?;
        let cluster = Self { client, before };
        let changed = tokio::select! {
            changed = cluster.become_like(spec) => changed,
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        };
        match changed {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.restore().await?;
                Err(error)
            }
        }
    }

    async fn become_like(&self, spec: &Map<String, Value>) -> Result<()> {
        self.merge(&json!({ "limits": limits() })).await?;
        self.merge(&json!(spec)).await.context("the profile's `cluster` is refused")?;
        self.start_anew().await?;
        self.until_ready().await
    }

    /// Deletes the example and makes it again. Its chat nodes would replace each other one by one, a drain window apart,
    /// and be at it still when the users have come.
    async fn start_anew(&self) -> Result<()> {
        let clusters = self.examples();
        let now = clusters.get(DEMO).await?;
        clusters.delete(DEMO, &DeleteParams::default()).await?;
        eventually("the example is gone", READY_WITHIN, || self.is_gone()).await?;
        clusters
            .create(&PostParams::default(), &same(now))
            .await
            .context("the example cannot be made again")?;
        Ok(())
    }

    async fn is_gone(&self) -> Result<()> {
        ensure!(self.examples().get_opt(DEMO).await?.is_none(), "the operator has not let go of it");
        let left = self.chat_nodes().list_metadata(&ListParams::default().labels(CHAT_NODES)).await?.items;
        ensure!(left.is_empty(), "{} chat nodes are left", left.len());
        Ok(())
    }

    async fn until_ready(&self) -> Result<()> {
        let look = || async { example::ready(&self.client, DEMO_NAMESPACE, DEMO).await };
        eventually("the example is ready", READY_WITHIN, look).await.map(drop)
    }

    /// Makes the example what it was before.
    pub async fn restore(&self) -> Result<()> {
        let clusters = self.examples();
        let put = || async {
            let Some(mut now) = clusters.get_opt(DEMO).await? else {
                return Ok(clusters.create(&PostParams::default(), &same(self.before.clone())).await?);
            };
            ensure!(now.metadata.deletion_timestamp.is_none(), "it is being deleted");
            // Fails if somebody has changed it in between; then once more.
            now.spec = self.before.spec.clone();
            Ok(clusters.replace(DEMO, &PostParams::default(), &now).await?)
        };
        eventually("the example is what it was", READY_WITHIN, put).await.map(drop)
    }

    /// Kills a pod of the example, or rolls all of them as an upgrade does; back when that was ordered.
    pub async fn harm(&self, fault: Fault) -> Result<()> {
        match fault {
            Fault::KillNode => self.kill_node().await,
            Fault::ReplaceNodes => {
                let annotations = json!({ "e2e.example/rolled": Timestamp::now().to_string() });
                self.merge(&json!({ "pod": { "annotations": annotations } })).await
            }
            _ => bail!("{fault:?} cannot be done to the local cluster"),
        }
    }

    async fn kill_node(&self) -> Result<()> {
        let pods = self.chat_nodes();
        let nodes = pods.list_metadata(&ListParams::default().labels(CHAT_NODES)).await?;
        let node = nodes.items.into_iter().next().context("the example has no chat nodes")?;
        pods.delete(&node.name_any(), &DeleteParams::default().grace_period(0)).await?;
        Ok(())
    }

    async fn merge(&self, spec: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let merged = self.examples().patch(DEMO, &PatchParams::default(), &patch).await;
        merged.map(drop).context("the example cannot be changed")
    }

    fn examples(&self) -> Api<VibeTalkCluster> {
        Api::namespaced(self.client.clone(), DEMO_NAMESPACE)
    }

    fn chat_nodes(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), DEMO_NAMESPACE)
    }
}

/// The same example, to be made again.
fn same(example: VibeTalkCluster) -> VibeTalkCluster {
    let ObjectMeta { labels, annotations, .. } = example.metadata;
    let (name, namespace) = (Some(DEMO.to_owned()), Some(DEMO_NAMESPACE.to_owned()));
    let metadata = ObjectMeta { name, namespace, labels, annotations, ..ObjectMeta::default() };
    VibeTalkCluster { metadata, spec: example.spec, status: None }
}

//! The local cluster, as users reach it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use crds::{VibeTalkCluster, VibeTalkClusterSpec};
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};

use super::{Service, Started, limits, partitions};
use crate::binaries::Binaries;
use crate::client::Gateway;
use crate::cluster::{Access, Local};
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
    access: Access,
    client: Client,
    /// How the example was before.
    before: VibeTalkClusterSpec,
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
    let changed = LocalCluster::change(target.access, client, &profile.cluster);
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
    async fn change(access: Access, client: Client, spec: &Map<String, Value>) -> Result<Self> {
        let clusters: Api<VibeTalkCluster> = Api::namespaced(client.clone(), DEMO_NAMESPACE);
        let before = clusters.get(DEMO).await.context("the example is not there; run `cargo e2e up`")?.spec;
        let cluster = Self { access, client, before };
        for spec in [json!({ "limits": limits() }), json!(spec)] {
            let patch = Patch::Merge(json!({ "spec": spec }));
            if let Err(error) = clusters.patch(DEMO, &PatchParams::default(), &patch).await {
                cluster.restore().await?;
                return Err(error).context("the example cannot be what the profile's `cluster` says");
            }
        }
        match cluster.until_ready().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.restore().await?;
                Err(error)
            }
        }
    }

    async fn until_ready(&self) -> Result<()> {
        let look = || async { example::ready(&self.client, DEMO_NAMESPACE, DEMO).await };
        eventually("the example is ready", READY_WITHIN, look).await.map(drop)
    }

    /// Changes the number of partitions; back when that is over.
    pub async fn repartition(&self, partitions: u16) -> Result<()> {
        partitions::change(&self.client, partitions).await
    }

    /// Makes the example what it was before.
    pub async fn restore(&self) -> Result<()> {
        let clusters: Api<VibeTalkCluster> = Api::namespaced(self.client.clone(), DEMO_NAMESPACE);
        let put = || async {
            // Fails if somebody has changed it in between; then once more.
            let mut now = clusters.get(DEMO).await?;
            now.spec = self.before.clone();
            Ok(clusters.replace(DEMO, &PostParams::default(), &now).await?)
        };
        eventually("the example is what it was", READY_WITHIN, put).await.map(drop)
    }

    /// Kills a pod of the example, or rolls all of them as an upgrade does; back when that was ordered.
    pub async fn harm(&self, fault: Fault) -> Result<()> {
        let now = Timestamp::now();
        let patch =
            json!({ "spec": { "pod": { "annotations": { "e2e.example/rolled": now.to_string() } } } });
        let patch = patch.to_string();
        match fault {
            Fault::KillNode => {
                let pods =
                    ["get", "pods", "--namespace", DEMO_NAMESPACE, "--output=name", "--selector", CHAT_NODES];
                let pods = self.access.kubectl(pods).output().await?;
                let pod = pods.lines().next().context("the example has no chat nodes")?;
                let kill = [
                    "delete",
                    "--namespace",
                    DEMO_NAMESPACE,
                    pod,
                    "--grace-period=0",
                    "--force",
                    "--wait=false",
                ];
                self.access.kubectl(kill).output().await?;
            }
            Fault::ReplaceNodes => {
                let roll =
                    ["patch", "vtc", DEMO, "--namespace", DEMO_NAMESPACE, "--type=merge", "--patch", &patch];
                self.access.kubectl(roll).output().await?;
            }
            _ => bail!("{fault:?} cannot be done to the local cluster"),
        }
        Ok(())
    }
}

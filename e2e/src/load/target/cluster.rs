//! The local cluster, as users reach it.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::json;

use super::{Service, Started};
use crate::binaries::Binaries;
use crate::client::Gateway;
use crate::cluster::{Access, Local};
use crate::load::generator::Way;
use crate::load::meter::{Processes, Role};
use crate::load::profile::Fault;
use crate::paths::Paths;
use crate::product::{self, DEMO, DEMO_NAMESPACE, credentials};

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

/// The example on the local cluster, with the key that its links are signed with.
pub async fn find(paths: &Paths) -> Result<Service> {
    if !paths.kubeconfig().is_file() {
        bail!("there is no local cluster; start it by `cargo e2e up`");
    }
    let local = Local::running(paths, &Binaries::locate(paths)?);
    let target = product::Target::local(&local)?;
    let client = target.access.client().await?;
    let url = target.chat_url.context("the local cluster has no address")?;
    let Gateway { address, host } = Gateway::at(&url)?;
    Ok(Service {
        way: Way { addresses: vec![address], host },
        key: credentials::signing_key(&client, DEMO_NAMESPACE).await?,
        watched: PROGRAMS.map(|(role, names)| (role, Processes::Named(names))).to_vec(),
        versions: vec![("chat-node".to_owned(), target.images.chat_node)],
        keeps_apart: false,
        started: Started::Cluster(target.access),
    })
}

/// Kills a pod of the example, or rolls all of them as an upgrade does; back when that was ordered.
pub async fn harm(access: &Access, fault: Fault) -> Result<()> {
    let now = Timestamp::now();
    let patch = json!({ "spec": { "pod": { "annotations": { "vibetalk.dev/load": now.to_string() } } } });
    let patch = patch.to_string();
    match fault {
        Fault::KillNode => {
            let pods =
                ["get", "pods", "--namespace", DEMO_NAMESPACE, "--output=name", "--selector", CHAT_NODES];
            let pods = access.kubectl(pods).output().await?;
            let pod = pods.lines().next().context("the example has no chat nodes")?;
            let kill =
                ["delete", "--namespace", DEMO_NAMESPACE, pod, "--grace-period=0", "--force", "--wait=false"];
            access.kubectl(kill).output().await?;
        }
        Fault::ReplaceNodes => {
            let roll =
                ["patch", "vtc", DEMO, "--namespace", DEMO_NAMESPACE, "--type=merge", "--patch", &patch];
            access.kubectl(roll).output().await?;
        }
        _ => bail!("{fault:?} cannot be done to the local cluster"),
    }
    Ok(())
}

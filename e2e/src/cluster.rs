//! The clusters that this program works on: how to talk to one, and the local one's nodes.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{self as core, ServiceAccount};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tokio::time::Instant;

use crate::archive::Archive;
use crate::binaries::Binaries;
use crate::network::MOST_NODES;
use crate::node::Node;
use crate::paths::Paths;
use crate::process::{Run, tail};
use crate::progress::Progress;
use crate::tool::Tool;

const READY_DEADLINE: Duration = Duration::from_secs(120);
const READY_POLL: Duration = Duration::from_millis(200);

/// How to talk to a cluster, this machine's or another.
#[derive(Clone, Debug)]
pub struct Access {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    kubectl: PathBuf,
    helm: PathBuf,
    cache: PathBuf,
}

impl Access {
    /// Talks to the cluster of this kubeconfig.
    pub fn new(kubeconfig: PathBuf, paths: &Paths, binaries: &Binaries) -> Self {
        let (kubectl, helm) = (binaries.path(Tool::Kubectl), binaries.path(Tool::Helm));
        Self { kubeconfig, kubectl, helm, cache: paths.kubectl_cache() }
    }

    /// `kubectl` with these arguments, not started yet.
    pub fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.run(&self.kubectl).args(args)
    }

    /// `helm` with these arguments, not started yet.
    pub fn helm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.run(&self.helm).args(args)
    }

    /// A client of its API server.
    pub async fn client(&self) -> Result<kube::Client> {
        Ok(kube::Client::try_from(self.config().await?)?)
    }

    /// A client of its API server that asks once and no more, so that its user sees what was refused.
    pub async fn plain_client(&self) -> Result<kube::Client> {
        let mut config = self.config().await?;
        config.default_retry = false;
        Ok(kube::Client::try_from(config)?)
    }

    async fn config(&self) -> Result<kube::Config> {
        let kubeconfig = kube::config::Kubeconfig::read_from(&self.kubeconfig)
            .with_context(|| format!("cannot read {}", self.kubeconfig.display()))?;
        Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await?)
    }

    fn run(&self, program: &Path) -> Run {
        Run::new(program).env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", &self.cache)
    }
}

/// The cluster on this machine.
#[derive(Clone, Debug)]
pub struct Local {
    /// Where its files are.
    pub paths: Paths,
    /// The programs it runs.
    pub binaries: Binaries,
    /// How to talk to it.
    pub access: Access,
    /// Its nodes, running or not.
    pub nodes: Vec<Node>,
}

impl Local {
    /// The cluster of `nodes` nodes.
    pub fn new(paths: &Paths, binaries: &Binaries, nodes: u8) -> Self {
        Self {
            paths: paths.clone(),
            binaries: binaries.clone(),
            access: Access::new(paths.kubeconfig(), paths, binaries),
            nodes: (1..=nodes).map(|number| Node::new(paths, binaries, number)).collect(),
        }
    }

    /// The cluster with the nodes that run now.
    pub fn running(paths: &Paths, binaries: &Binaries) -> Self {
        let mut local = Self::new(paths, binaries, MOST_NODES);
        local.nodes.retain(Node::runs);
        local
    }

    /// `kubectl` with these arguments, not started yet.
    pub fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.access.kubectl(args)
    }

    /// The images that the nodes were last given.
    pub fn archives(&self) -> Result<Vec<Archive>> {
        let file = self.archives_file();
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Boots the nodes that do not run as wanted, and gives every node its images; [`Local::admit`] comes next.
    pub async fn ensure_nodes(&self, progress: &Progress, archives: &[Archive]) -> Result<()> {
        let earlier = self.archives().unwrap_or_default();
        let file = self.archives_file();
        fs::write(&file, serde_json::to_vec(archives)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let pause = pause(archives)?;
        let mut stopped = Vec::new();
        for node in &self.nodes {
            if !node.is_booted(pause)? {
                stopped.push(node);
            }
        }
        if !stopped.is_empty() {
            let boot = try_join_all(stopped.iter().map(|node| node.boot(pause)));
            progress.step(&format!("boot {}", names(stopped.iter().copied())), boot).await?;
        }
        self.import(progress, archives).await?;
        // What runs now may still need the images before these; those before them only fill the memory.
        let kept: Vec<&str> =
            archives.iter().chain(&earlier).map(|archive| archive.reference.as_str()).collect();
        try_join_all(self.nodes.iter().map(|node| node.forget_others(&kept))).await.map(drop)
    }

    /// Lets the kubelets start. Not before the API server is ready: they would wait longer after each failure.
    pub fn admit(&self) -> Result<()> {
        self.nodes.iter().try_for_each(Node::admit)
    }

    /// Imports images into all nodes at once, each image where it is placed and absent.
    pub async fn import(&self, progress: &Progress, archives: &[Archive]) -> Result<()> {
        let absent = try_join_all(self.nodes.iter().map(|node| node.absent(archives))).await?;
        let count: usize = absent.iter().map(Vec::len).sum();
        if count == 0 {
            return Ok(());
        }
        let into_node = async |(node, absent): (&Node, Vec<&Archive>)| {
            for archive in absent {
                node.import(archive).await?;
            }
            Ok(())
        };
        let imports = try_join_all(self.nodes.iter().zip(absent).map(into_node));
        progress
            .step(&format!("import images ({count} into {})", names(&self.nodes)), imports)
            .await
            .map(drop)
    }

    /// Removes images from the nodes that have them.
    pub async fn forget(&self, archives: &[Archive]) -> Result<()> {
        try_join_all(self.nodes.iter().map(|node| node.forget(archives))).await.map(drop)
    }

    /// Starts a node that was killed, with the images that the others hold.
    pub async fn revive(&self, node: &Node) -> Result<()> {
        let archives = self.archives()?;
        node.start(pause(&archives)?, &archives).await
    }

    /// Waits until all nodes are ready, as their kubelets report, and the controllers are at work.
    pub async fn until_ready(&self, progress: &Progress) -> Result<()> {
        let client = self.access.client().await?;
        if self.is_ready(&client).await {
            return Ok(());
        }
        let wait = async {
            let deadline = Instant::now() + READY_DEADLINE;
            while !self.is_ready(&client).await {
                if Instant::now() > deadline {
                    let logs =
                        self.nodes.iter().map(|node| self.paths.log(&format!("{}-kubelet", node.name())));
                    let tails: Vec<String> = logs.map(|log| tail(&log)).collect();
                    bail!("the nodes are not ready after {READY_DEADLINE:?}; {}", tails.join("\n"));
                }
                tokio::time::sleep(READY_POLL).await;
            }
            Ok(())
        };
        progress.step(&format!("wait for {}", names(&self.nodes)), wait).await
    }

    /// Ends a node for good.
    pub async fn remove(&self, node: &Node) -> Result<()> {
        node.kill().await?;
        self.kubectl(["delete", "node", &node.name(), "--ignore-not-found"]).output().await.map(drop)
    }

    async fn is_ready(&self, client: &kube::Client) -> bool {
        // Without this account, which a controller makes, no pod is taken.
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
        let nodes: Api<core::Node> = Api::all(client.clone());
        let Ok(Some(_)) = accounts.get_opt("default").await else { return false };
        let Ok(seen) = nodes.list(&ListParams::default()).await else { return false };
        self.nodes.iter().all(|node| {
            let seen = seen.items.iter().find(|seen| seen.name_any() == node.name());
            // What a kubelet said before the node started anew does not count.
            seen.and_then(ready_since).zip(node.admitted()).is_some_and(|(said, admitted)| said >= admitted)
        })
    }

    fn archives_file(&self) -> PathBuf {
        self.paths.state.join("images.json")
    }
}

/// When the node's kubelet last said that it is ready, in seconds since 1970.
fn ready_since(node: &core::Node) -> Option<i64> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|one| one.type_ == "Ready" && one.status == "True")?;
    Some(ready.last_heartbeat_time.as_ref()?.0.as_second())
}

/// The image of the sandbox that holds a pod's namespaces.
fn pause(archives: &[Archive]) -> Result<&Archive> {
    let pause = archives.iter().find(|archive| archive.reference.starts_with("localhost/pause:"));
    pause.context("there is no image of the pods' sandbox (localhost/pause)")
}

fn names<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> String {
    nodes.into_iter().map(Node::name).collect::<Vec<_>>().join(", ")
}

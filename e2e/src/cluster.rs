//! The clusters that this program works on: how to talk to one, and the local one's nodes.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::archive::Archive;
use crate::binaries::Binaries;
use crate::network::MOST_NODES;
use crate::node::Node;
use crate::paths::Paths;
use crate::process::Run;
use crate::tool::Tool;

/// How to talk to a cluster, this machine's or another.
#[derive(Clone, Debug)]
pub struct Access {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    kubectl: PathBuf,
    helm: PathBuf,
}

impl Access {
    /// Talks to the cluster of this kubeconfig.
    pub fn new(kubeconfig: PathBuf, binaries: &Binaries) -> Self {
        Self { kubeconfig, kubectl: binaries.path(Tool::Kubectl), helm: binaries.path(Tool::Helm) }
    }

    /// `kubectl` with these arguments, not started yet.
    pub fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        Run::new(&self.kubectl).env("KUBECONFIG", &self.kubeconfig).args(args)
    }

    /// `helm` with these arguments, not started yet.
    pub fn helm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        Run::new(&self.helm).env("KUBECONFIG", &self.kubeconfig).args(args)
    }

    /// A client of its API server.
    pub async fn client(&self) -> Result<kube::Client> {
        let kubeconfig = kube::config::Kubeconfig::read_from(&self.kubeconfig)
            .with_context(|| format!("cannot read {}", self.kubeconfig.display()))?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await?;
        Ok(kube::Client::try_from(config)?)
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
            access: Access::new(paths.kubeconfig(), binaries),
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

    /// Writes down which images the nodes hold, for a node that starts anew later.
    pub fn remember_archives(&self, archives: &[Archive]) -> Result<()> {
        let file = self.archives_file();
        fs::write(&file, serde_json::to_vec(archives)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// The images that the nodes hold.
    pub fn archives(&self) -> Result<Vec<Archive>> {
        let file = self.archives_file();
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Imports the images into all nodes at once; each takes only those placed on it that it does not have.
    pub async fn import(&self, archives: &[Archive]) -> Result<()> {
        self.remember_archives(archives)?;
        futures::future::try_join_all(self.nodes.iter().map(|node| node.import_all(archives))).await.map(drop)
    }

    /// Starts a node that was killed, with the images that the others hold.
    pub async fn revive(&self, node: &Node) -> Result<()> {
        let archives = self.archives()?;
        let pause = archives.iter().find(|archive| archive.reference.starts_with("localhost/pause:"));
        node.start(pause.context("no image of the sandbox (localhost/pause) was imported")?, &archives).await
    }

    fn archives_file(&self) -> PathBuf {
        self.paths.state.join("images.json")
    }
}

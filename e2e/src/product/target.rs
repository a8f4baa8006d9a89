//! The cluster that VibeTalk is brought onto.

use anyhow::{Context, Result};

use super::{Backends, Broker};
use crate::args::Existing;
use crate::binaries::Binaries;
use crate::cluster::{Access, Local};
use crate::paths::Paths;
use crate::process::Run;
use crate::services::Services;

/// Where NGINX is on the local cluster, from this machine.
const LOCAL_CHAT_URL: &str = "http://10.96.0.80/";
/// Names of the product's images on the local cluster.
const OPERATOR_IMAGE: &str = "vibetalk-operator";
const CHAT_NODE_IMAGE: &str = "chat-node";

/// A cluster, and what VibeTalk is made of there.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where this program keeps its things.
    pub paths: Paths,
    /// How to talk to the cluster.
    pub access: Access,
    /// What runs.
    pub images: Images,
    /// Broker and store.
    pub backends: Backends,
    /// Where the chat page is from this machine; what the example's own status says if absent.
    pub chat_url: Option<String>,
}

/// References of the product's images. A new reference rolls what runs it.
#[derive(Clone, Debug)]
pub struct Images {
    /// The operator's, with a tag.
    pub operator: String,
    /// The chat nodes'.
    pub chat_node: String,
}

impl Target {
    /// The cluster on this machine, with the images that its nodes hold.
    pub fn local(local: &Local) -> Result<Self> {
        let services = Services::of(&local.paths)?;
        let archives = local.archives()?;
        let image = |name: &str| {
            let prefix = format!("localhost/{name}:");
            let found = archives.iter().find(|archive| archive.reference.starts_with(&prefix));
            let found = found.with_context(|| format!("the nodes hold no image {prefix}…"))?;
            Ok::<_, anyhow::Error>(found.reference.clone())
        };
        Ok(Self {
            paths: local.paths.clone(),
            access: local.access.clone(),
            images: Images { operator: image(OPERATOR_IMAGE)?, chat_node: image(CHAT_NODE_IMAGE)? },
            backends: Backends {
                broker: Broker::parse(&services.rabbitmq_uri(), &services.management_uri())?,
                mongodb_uri: services.mongodb_uri(),
            },
            chat_url: Some(LOCAL_CHAT_URL.to_owned()),
        })
    }

    /// A cluster that is there already.
    pub fn existing(paths: &Paths, binaries: &Binaries, existing: &Existing) -> Result<Self> {
        let broker = Broker::parse(&existing.rabbitmq, &existing.rabbitmq_management)?;
        Ok(Self {
            paths: paths.clone(),
            access: Access::new(existing.kubeconfig.clone(), paths, binaries),
            images: Images {
                operator: existing.operator_image.clone(),
                chat_node: existing.chat_node_image.clone(),
            },
            backends: Backends { broker, mongodb_uri: existing.mongodb.clone() },
            chat_url: None,
        })
    }

    /// `helm` with these arguments. What it wants to keep for itself goes into the state directory.
    pub fn helm(&self, args: &[&str]) -> Run {
        at_home(self.access.helm(args), &self.paths)
    }
}

/// Makes `helm` keep its own things in the state directory.
pub fn at_home(helm: Run, paths: &Paths) -> Run {
    let home = paths.state.join("helm");
    helm.env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
}

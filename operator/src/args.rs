//! The command line. Every value becomes its type here and nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand};

/// Turns VibeTalkClusters into running chat services.
#[derive(Debug, Parser)]
#[command(name = "vibetalk-operator", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator against the cluster of the kubeconfig or of the pod's service account.
    Run(Run),
    /// Print the CustomResourceDefinition as YAML.
    Crds,
    /// Print the objects that a VibeTalkCluster becomes. Needs no cluster.
    Render(Render),
}

/// Flags of `run`.
#[derive(Debug, Arguments)]
pub struct Run {
    /// Defaults for what a resource leaves open.
    #[command(flatten)]
    pub defaults: Defaults,

    /// Namespaces to look after, separated by commas; all if empty.
    #[arg(long, env = "VT_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "VT_ADMIN_LISTEN", default_value = "0.0.0.0:8080")]
    pub admin_listen: SocketAddr,

    /// Who holds the lease; the host name if absent.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,

    /// What is logged, such as `info` or `operator=debug`.
    #[arg(long, env = "VT_LOG", default_value = "info")]
    pub log: String,
}

/// Flags of `render`.
#[derive(Debug, Arguments)]
pub struct Render {
    /// Defaults for what the resource leaves open.
    #[command(flatten)]
    pub defaults: Defaults,

    /// File with the VibeTalkCluster; `-` is the standard input.
    #[arg(short = 'f', long = "file")]
    pub file: PathBuf,
}

/// Defaults for what a resource leaves open.
#[derive(Clone, Debug, PartialEq, Eq, Arguments)]
pub struct Defaults {
    /// Image of the chat node where `spec.image` is absent.
    #[arg(long, env = "VT_CHAT_NODE_IMAGE", default_value = concat!("ghcr.io/vibetalk/chat-node:", env!("CARGO_PKG_VERSION")))]
    pub chat_node_image: String,

    /// Namespace of the operator: of its lease, and of whom the chat nodes' NetworkPolicy admits; that of the kubeconfig
    /// if absent.
    #[arg(long, env = "POD_NAMESPACE")]
    pub pod_namespace: Option<String>,
}

impl Run {
    /// The namespaces that were named, without the empty ones that a trailing comma makes.
    pub fn namespaces(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .namespaces
            .iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Run {
        let words = ["vibetalk-operator", "run"].into_iter().chain(arguments.iter().copied());
        match Args::try_parse_from(words).unwrap().command {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_namespace_means_all() {
        assert!(run(&["--namespaces", ""]).namespaces().is_empty());
        assert_eq!(run(&["--namespaces", "b,a,,b "]).namespaces(), ["a", "b"]);
    }
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::load::Target;
use crate::network::MOST_NODES;
use crate::site::{MOST_BROKERS, Order};

/// A real Kubernetes on this machine, VibeTalk on it, and the tests of both.
#[derive(Debug, Parser)]
#[command(name = "cargo e2e", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring everything up: programs, images, the cluster, VibeTalk. Again: change only what changed.
    Up(Up),
    /// End everything and put the machine back as it was.
    Down(Down),
    /// Show the parts, their processes and the nodes.
    Status,
    /// Run kubectl on the local cluster.
    Kubectl {
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Print the log of a part; without a part, list the parts that have one.
    Logs {
        /// The part, such as kube-apiserver or n1-kubelet.
        part: Option<String>,
    },
    /// Put users on a chat service, and follow every message to everyone who must get it.
    Load(Load),
    /// Run load profiles several times on a chat node, alone or in turn with another program; or measure what connections
    /// cost, the way between two nodes, or RabbitMQ.
    Bench(Bench),
    /// Run the tests, and bring the cluster up for those that need it.
    Test(Test),
    /// Harm a member of the services that a test has built; tests call it.
    #[command(hide = true)]
    Fault(Order),
}

/// What `up` is asked for.
#[derive(Debug, Args)]
pub struct Up {
    /// How many nodes to run; if not given, as many as last time, or three.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_NODES)))]
    pub nodes: Option<u8>,
    /// The cluster to use instead of the local one.
    #[command(flatten)]
    pub existing: Option<Existing>,
}

/// A cluster that is there already, and the services that VibeTalk needs beside it.
#[derive(Args, Clone, Debug)]
#[group(id = "existing", requires_all = ["kubeconfig", "operator_image", "chat_node_image", "rabbitmq", "rabbitmq_management", "mongodb"])]
pub struct Existing {
    /// Use the cluster of this kubeconfig instead of a local one.
    #[arg(long, value_name = "FILE", required = false, conflicts_with = "nodes")]
    pub kubeconfig: PathBuf,
    /// The operator's image, as that cluster pulls it.
    #[arg(long, value_name = "IMAGE", required = false)]
    pub operator_image: String,
    /// The chat node's image, as that cluster pulls it.
    #[arg(long, value_name = "IMAGE", required = false)]
    pub chat_node_image: String,
    /// RabbitMQ as the pods reach it: amqp://user:password@host:5672/%2f
    #[arg(long, value_name = "URI", env = "VT_E2E_RABBITMQ", hide_env_values = true, required = false)]
    pub rabbitmq: String,
    /// RabbitMQ's management API as the operator reaches it: http://user:password@host:15672
    #[arg(
        long,
        value_name = "URI",
        env = "VT_E2E_RABBITMQ_MANAGEMENT",
        hide_env_values = true,
        required = false
    )]
    pub rabbitmq_management: String,
    /// MongoDB as the pods reach it: mongodb://user:password@host:27017/
    #[arg(long, value_name = "URI", env = "VT_E2E_MONGODB", hide_env_values = true, required = false)]
    pub mongodb: String,
}

/// What `down` is asked for.
#[derive(Debug, Args)]
pub struct Down {
    /// Compare the machine with how it was before `up`, and fail if anything differs.
    #[arg(long)]
    pub check: bool,
}

/// What `load` is asked for.
#[derive(Debug, Args)]
pub struct Load {
    /// The profile: a name from e2e/profiles or a file; without one, list them.
    pub profile: Option<String>,
    /// What is loaded: `node` (a chat node that is started for it), `fleet` (three of them on RabbitMQ and a store),
    /// `cluster` (the local one) or a URL.
    #[arg(long, default_value = "node", value_name = "TARGET")]
    pub target: Target,
    /// The secret (HS256) that signs users' tokens, for a URL.
    #[arg(long, value_name = "FILE")]
    pub signing_key_file: Option<PathBuf>,
    /// The authority (PEM) of the service's certificate instead of those that this machine trusts, for an https URL.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The chat node's program instead of the work tree's, for `node` and `fleet`.
    #[arg(long, value_name = "FILE")]
    pub chat_node: Option<PathBuf>,
    /// How a fleet runs.
    #[command(flatten)]
    pub fleet: FleetOptions,
    /// So many users instead of the profile's.
    #[arg(long, value_name = "N")]
    pub users: Option<u32>,
    /// Send for so long instead, as in 90s.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<crds::Duration>,
    /// Another number makes others speak at other times.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write all numbers into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// How the fleet runs that `load` starts.
#[derive(Args, Clone, Debug)]
pub struct FleetOptions {
    /// What a fleet's exchanges route by.
    #[arg(long, value_enum, default_value_t = Routing::Channel, value_name = "MODE")]
    pub routing: Routing,
    /// What a fleet's server queues are.
    #[arg(long, value_enum, default_value_t = Queue::Classic, value_name = "TYPE")]
    pub queue: Queue,
    /// RabbitMQ nodes of a fleet.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_BROKERS)))]
    pub brokers: u8,
}

/// What exchanges route by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Routing {
    /// Connected users.
    User,
    /// Channels that somebody follows.
    Channel,
    /// Nothing.
    Static,
}

/// What server queues are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Queue {
    /// On one node of RabbitMQ.
    Classic,
    /// On a majority of them.
    Quorum,
}

/// What `bench` is asked for.
#[derive(Debug, Args)]
pub struct Bench {
    /// The profiles; without any, the usual ones. Some are none of them: `floor` measures what connections and deliveries
    /// cost a chat node on one core, beside a bare loop of `send()` (a minute a run); `two-nodes` compares the way of
    /// messages between two chat nodes with what store and broker take alone (root, two minutes a run); `history` reads
    /// pages of history out of both stores, which hold up to a million messages (root, four minutes a run); `broker`
    /// measures each type of server queue with each routing, on one and on three nodes of RabbitMQ that are started for it
    /// (root, ten minutes a run).
    pub profiles: Vec<String>,
    /// How often each is run; if not given, five times, `floor`, `two-nodes` and `history` three times, and `broker` once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: Option<u32>,
    /// What is loaded: `node`, `fleet` or `cluster`, as for `load`.
    #[arg(long, default_value = "node", value_name = "TARGET")]
    pub target: Target,
    /// Another chat node's program: both are run in turn, and compared in pairs.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Write e2e/BENCHMARKS.md and what it is made from.
    #[arg(long, conflicts_with = "against")]
    pub publish: bool,
}

/// What `test` is asked for.
#[derive(Debug, Args)]
pub struct Test {
    /// Only the tests whose name contains this.
    pub filter: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn up_takes_one_to_three_nodes() {
        assert!(parse("e2e up --nodes 3").is_ok());
        assert!(parse("e2e up --nodes 0").is_err());
        assert!(parse("e2e up --nodes 4").is_err());
    }

    #[test]
    fn up_alone_means_the_local_cluster() {
        let Command::Up(up) = parse("e2e up").unwrap().command else { panic!("not up") };
        assert!(up.existing.is_none() && up.nodes.is_none());
    }

    #[test]
    fn another_cluster_needs_images_and_services_of_its_own() {
        let error = parse("e2e up --kubeconfig k").unwrap_err().to_string();
        assert!(error.contains("--rabbitmq") && error.contains("--mongodb"), "{error}");
        let all = "e2e up --kubeconfig k --operator-image o --chat-node-image c --rabbitmq r \
                   --rabbitmq-management m --mongodb d";
        let Command::Up(up) = parse(all).unwrap().command else { panic!("not up") };
        assert_eq!(up.existing.unwrap().mongodb, "d");
    }

    #[test]
    fn kubectl_gets_its_own_options() {
        let Command::Kubectl { args } = parse("e2e kubectl get pods -A").unwrap().command else { panic!() };
        assert_eq!(args, ["get", "pods", "-A"]);
    }
}

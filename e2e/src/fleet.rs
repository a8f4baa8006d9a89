//! Three chat nodes of one variant, on exchanges and a database of their own.

mod balancer;
mod clock;
mod partitions;
mod variant;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::exchange::ClusterKey;
use crds::node::{
    AuthConfig, Dependency, NodeReport, NodeState, OfficialGroupConfig, REPORT_PATH, StoreConfig,
};
use crds::{ClientLimits, NodeConfig, Posting, ServerQueue, TopologyOrder, TopologyPlan, binding};
use futures::future::try_join_all;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;

use crate::client::{Gateway, SigningKey};
use crate::daemon::Daemon;
use crate::eventually::eventually;
use crate::product::Broker;
use crate::site::Site;

use balancer::Balancer;
pub use clock::Clocks;
use clock::{STEPPED, SettableClock};
pub use variant::{ALL as VARIANTS, Variant};

/// Chat nodes of a fleet.
pub const SIZE: usize = 3;
const PARTITIONS: u16 = 4;
const DRAIN_WINDOW_S: u16 = 3;
/// A chat node that was told to end has done so by then: it accepts for a few seconds more, then moves its clients.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
const DECLARED_WITHIN: Duration = Duration::from_secs(30);
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a node may take to answer on its admin port.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
const SIGNING_KEY: &[u8] = b"a key that only tests on loopback know and use";

/// Chat nodes that make up one cluster, and the ways in and out.
pub struct Fleet {
    /// How they run.
    pub variant: Variant,
    /// The way in: a connection meets any of the nodes.
    pub gateway: Gateway,
    /// Signs the users' tokens.
    pub key: SigningKey,
    /// The store's database.
    pub database: String,
    site: Site,
    /// Of its nodes' settings.
    directory: PathBuf,
    nodes: Vec<ChatNode>,
    /// That of one of its nodes.
    clock: Option<SettableClock>,
    clients: Balancer,
    _brokers: Balancer,
}

/// A chat node of a fleet.
pub struct ChatNode {
    /// Its process.
    pub daemon: Daemon,
    /// Where users come in.
    pub chat: SocketAddr,
    admin: SocketAddr,
}

/// How a fleet runs.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Its place among the fleets of a site, from 0.
    pub place: u16,
    /// How its nodes run.
    pub variant: Variant,
    /// What clients may use.
    pub limits: ClientLimits,
    /// What its nodes take the time from.
    pub clocks: Clocks,
}

impl Fleet {
    /// Declares what the operator would, and starts the nodes.
    pub async fn start(site: &Site, program: &Path, terms: Terms) -> Result<Self> {
        let Terms { place, variant, limits, clocks } = terms;
        let amqp = site.brokers().map(|number| loopback(site.amqp_port(number)));
        let brokers = Balancer::among(amqp).await?;
        let directory = site.paths().state.join(variant.name);
        write_settings(&directory, site, (variant, limits, brokers.address))?;
        declare(site, variant).await?;
        let clock = clocks.settable(&directory)?;
        let node = |number: u16| {
            let offset = (place * SIZE as u16 + number) * 2;
            let (chat, admin) = (loopback(site.port(offset)), loopback(site.port(offset + 1)));
            let name = node_name(variant, number.into());
            ChatNode { daemon: daemon(site, (program, &directory), (&name, chat, admin)), chat, admin }
        };
        let mut nodes: Vec<ChatNode> = (0..SIZE as u16).map(node).collect();
        if let Some(clock) = &clock {
            nodes[STEPPED].daemon.command = clock.command(&nodes[STEPPED].daemon.command);
        }
        let clients = Balancer::among(nodes.iter().map(|node| node.chat)).await?;
        let gateway = Gateway { address: clients.address, host: clients.address.to_string() };
        let fleet = Self {
            variant,
            gateway,
            key: SigningKey::new(SIGNING_KEY.to_vec()),
            database: variant.name.to_owned(),
            site: site.clone(),
            directory,
            nodes,
            clock,
            clients,
            _brokers: brokers,
        };
        try_join_all((0..SIZE).map(|number| fleet.begin(number))).await?;
        Ok(fleet)
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[ChatNode] {
        &self.nodes
    }

    /// The name of a node.
    pub fn name(&self, number: usize) -> String {
        node_name(self.variant, number)
    }

    /// Tells a node to end and waits until it has; then starts it anew. Meanwhile no connection is sent to it.
    pub async fn replace(&self, number: usize) -> Result<()> {
        let node = &self.nodes[number];
        self.clients.withdraw(node.chat);
        node.daemon.signal(Signal::SIGTERM)?;
        let what = format!("{} has moved its clients away and ended", node.daemon.part);
        eventually(&what, DRAINED_WITHIN, || async {
            ensure!(node.daemon.processes().is_empty(), "it runs");
            Ok(())
        })
        .await?;
        self.begin(number).await?;
        self.clients.admit(node.chat);
        Ok(())
    }

    /// Kills a node, and starts it anew after a while.
    pub async fn kill(&self, number: usize, pause: Duration) -> Result<()> {
        self.nodes[number].daemon.end().await?;
        tokio::time::sleep(pause).await;
        self.begin(number).await
    }

    /// An error that names the first node that does not serve, or misses the store or the broker.
    pub async fn well(&self) -> Result<()> {
        for node in &self.nodes {
            node.well().await.with_context(|| node.daemon.part.clone())?;
        }
        Ok(())
    }

    async fn begin(&self, number: usize) -> Result<()> {
        let node = &self.nodes[number];
        node.daemon.ensure(self.site.paths()).await?;
        let ready = async || node.report().await.is_ok_and(|report| report.state == NodeState::Ready);
        node.daemon.until(self.site.paths(), READY_WITHIN, ready).await
    }
}

impl ChatNode {
    async fn well(&self) -> Result<()> {
        let report = self.report().await?;
        ensure!(report.state == NodeState::Ready, "it is {:?}", report.state);
        for (what, dependency) in [("the store", &report.store), ("the broker", &report.broker)] {
            if let Dependency::Unreachable { reason } = dependency {
                bail!("{what}: {reason}");
            }
        }
        Ok(())
    }

    async fn report(&self) -> Result<NodeReport> {
        let url = format!("http://{}{REPORT_PATH}", self.admin);
        let request = reqwest::Client::new().get(&url).timeout(ANSWERED_WITHIN);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

fn node_name(variant: Variant, number: usize) -> String {
    format!("{}-{number}", variant.name)
}

fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn daemon(
    site: &Site,
    (program, directory): (&Path, &Path),
    (name, chat, admin): (&str, SocketAddr, SocketAddr),
) -> Daemon {
    let command = vec![
        program.to_string_lossy().into_owned(),
        format!("--config={}", directory.join("config.yaml").display()),
        format!("--bindings={}", directory.join("bindings").display()),
        format!("--listen={chat}"),
        format!("--admin-listen={admin}"),
        format!("--node={name}"),
    ];
    site.daemon(name, command, Vec::new())
}

fn cluster(variant: Variant) -> ClusterKey {
    ClusterKey::new("faults", variant.name)
}

fn plan(variant: Variant) -> TopologyPlan {
    TopologyPlan { epoch: 1, partitions: PARTITIONS, routing: variant.routing }
}

/// What the operator and Kubernetes would mount into the pods.
fn write_settings(
    directory: &Path,
    site: &Site,
    (variant, limits, broker): (Variant, ClientLimits, SocketAddr),
) -> Result<()> {
    let login: Broker = site.backends()?.broker;
    let settings = NodeConfig {
        cluster: cluster(variant),
        topology: TopologyOrder::of(plan(variant)),
        server_queue: ServerQueue { kind: variant.queue, ..ServerQueue::default() },
        store: StoreConfig {
            database: variant.name.to_owned(),
            bucket: crds::Duration::days(10),
            retention: None,
        },
        auth: AuthConfig::default(),
        official_group: OfficialGroupConfig {
            name: "Official".to_owned(),
            topic: String::new(),
            admins: Vec::new(),
            posting: Posting::Everyone,
        },
        drain_window: crds::Duration::seconds(DRAIN_WINDOW_S),
        limits,
        trusted_proxies: Vec::new(),
    };
    let bindings = directory.join("bindings");
    let of = |service: &str, key: &str| bindings.join(service).join(key);
    write(&directory.join("config.yaml"), serde_yaml::to_string(&settings)?)?;
    write(&of(binding::mongodb::DIRECTORY, binding::mongodb::URI), site.mongodb_uri())?;
    let rabbitmq = [
        (binding::rabbitmq::HOST, broker.ip().to_string()),
        (binding::rabbitmq::PORT, broker.port().to_string()),
        (binding::rabbitmq::USERNAME, login.username),
        (binding::rabbitmq::PASSWORD, login.password),
        (binding::rabbitmq::VHOST, variant.name.to_owned()),
    ];
    for (key, value) in rabbitmq {
        write(&of(binding::rabbitmq::DIRECTORY, key), value)?;
    }
    write(&of(binding::auth::DIRECTORY, binding::auth::HS256), SIGNING_KEY)
}

fn write(file: &PathBuf, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o600))?)
}

/// A virtual host with the exchanges, as the operator declares them.
async fn declare(site: &Site, variant: Variant) -> Result<()> {
    let vhost = variant.name;
    put(site, format!("vhosts/{vhost}"), json!({})).await?;
    let user = site.backends()?.broker.username;
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    put(site, format!("permissions/{vhost}/{user}"), all).await?;
    declare_partitions(site, variant, plan(variant)).await?;
    exchange(site, variant, (&cluster(variant).control(), "fanout")).await
}

async fn declare_partitions(site: &Site, variant: Variant, plan: TopologyPlan) -> Result<()> {
    let cluster = cluster(variant);
    for partition in 0..plan.partitions {
        exchange(site, variant, (&cluster.partition(plan.epoch, partition), "direct")).await?;
    }
    Ok(())
}

async fn exchange(site: &Site, variant: Variant, (name, kind): (&str, &str)) -> Result<()> {
    let path = format!("exchanges/{}/{name}", variant.name);
    put(site, path, json!({ "type": kind, "durable": true })).await
}

async fn put(site: &Site, path: String, body: serde_json::Value) -> Result<()> {
    // While much is declared at once, the API drops requests.
    let what = format!("{path} is declared");
    let put = || site.manage_with(1, Method::PUT, (&path, Some(&body)));
    eventually(&what, DECLARED_WITHIN, put).await.map(drop)
}

//! Nodes in this process that share a store and a bus.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chat_node::auth::{SigningKey, Tokens};
use chat_node::bus::in_process::InProcessBroker;
use chat_node::clock::System;
use chat_node::config::{AuthChoice, BusChoice, Config, StoreChoice, alone};
use chat_node::http::address::TrustedProxies;
use chat_node::limits::Limits;
use chat_node::node::{Node, Services};
use chat_node::protocol::message::User;
use chat_node::store::Store;
use chat_node::store::bucket::BucketLength;
use chat_node::store::embedded::Embedded;
use crds::Posting;
use crds::node::AuthConfig;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::deaf::Deaf;
use super::http::{self, Answer};

const HOUR: Duration = Duration::from_secs(3_600);

/// What the nodes share.
pub struct Cluster {
    pub store: Arc<dyn Store>,
    broker: InProcessBroker,
}

impl Default for Cluster {
    fn default() -> Self {
        let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
        Self { store: Arc::new(store), broker: InProcessBroker::default() }
    }
}

impl Cluster {
    pub async fn node(&self, name: &str) -> TestNode {
        let (bus, received) = self.broker.join();
        self.node_on(config(name, Limits::default()), (Arc::new(bus), received)).await
    }

    /// A node that nobody asks too much of.
    pub async fn unlimited_node(&self, name: &str) -> TestNode {
        self.unlimited_node_where(name, Posting::Everyone).await
    }

    /// The same where only these write in the official channel.
    pub async fn unlimited_node_where(&self, name: &str, posting: Posting) -> TestNode {
        let plenty = 1_000_000;
        let limits = Limits {
            requests_per_minute_user: plenty,
            requests_per_minute_address: plenty,
            ..Limits::default()
        };
        let mut config = config(name, limits);
        config.settings.official_group.posting = posting;
        self.configured(config).await
    }

    /// A node that lets anybody in under any name.
    pub async fn development_node(&self, name: &str) -> TestNode {
        self.configured(Config { auth: AuthChoice::Development, ..config(name, Limits::default()) }).await
    }

    async fn configured(&self, config: Config) -> TestNode {
        let (bus, received) = self.broker.join();
        self.node_on(config, (Arc::new(bus), received)).await
    }

    /// What the nodes have in their store.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// A node whose broker is away.
    pub async fn deaf_node(&self, name: &str) -> TestNode {
        let (bus, received) = Deaf::new();
        self.node_on(config(name, Limits::default()), (Arc::new(bus), received)).await
    }

    pub async fn node_on(
        &self,
        config: Config,
        (bus, received): (
            Arc<dyn chat_node::bus::Bus>,
            tokio::sync::mpsc::Receiver<chat_node::bus::Received>,
        ),
    ) -> TestNode {
        let services = Services { store: Arc::clone(&self.store), bus, received, clock: Arc::new(System) };
        let node = Node::start_on(config, services).await.unwrap();
        TestNode { address: node.address, admin_address: node.admin_address, node }
    }
}

/// A running node.
pub struct TestNode {
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    node: Node,
}

impl TestNode {
    pub async fn alone() -> Self {
        Cluster::default().node("alone").await
    }

    pub async fn with_limits(change: impl Fn(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let cluster = Cluster::default();
        let (bus, received) = cluster.broker.join();
        cluster.node_on(config("limited", limits), (Arc::new(bus), received)).await
    }

    pub fn token(&self, user: &str) -> String {
        token(1, user)
    }

    /// A token signed with another key.
    pub fn foreign_token(&self, user: &str) -> String {
        token(2, user)
    }

    pub async fn get(&self, path: &str, user: &str) -> Answer {
        self.get_with_token(path, &self.token(user)).await
    }

    pub async fn get_with_token(&self, path: &str, token: &str) -> Answer {
        http::request(self.address, &format!("GET {path}"), (Some(token), "")).await
    }

    pub async fn post(&self, path: &str, user: &str, body: &Value) -> Answer {
        let token = self.token(user);
        http::request(self.address, &format!("POST {path}"), (Some(&token), &body.to_string())).await
    }

    pub async fn admin(&self, path: &str) -> Answer {
        http::request(self.admin_address, &format!("GET {path}"), (None, "")).await
    }

    /// Orders the node to drain, as the platform may, and waits until it has heard.
    pub async fn order_drain(&self) -> Answer {
        let answer = http::request(self.admin_address, "POST /v1/drain", (None, "")).await;
        self.node.drain_ordered().await;
        answer
    }

    /// Open connections, as the node reports them.
    pub async fn connections(&self) -> u64 {
        self.admin("/v1/node").await.json()["connections"].as_u64().unwrap()
    }

    pub fn drain(self) -> JoinHandle<usize> {
        tokio::spawn(self.node.drain())
    }
}

pub fn config(name: &str, limits: Limits) -> Config {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Config {
        node: name.to_owned(),
        listen: loopback,
        admin_listen: loopback,
        stands_alone: true,
        settings: alone(),
        store: StoreChoice::Embedded("/nowhere".into()),
        bus: BusChoice::InProcess,
        auth: AuthChoice::Tokens(key(1).into()),
        proxies: TrustedProxies::default(),
        limits: Arc::new(limits),
    }
}

fn key(byte: u8) -> SigningKey {
    SigningKey::new(vec![byte; 32]).unwrap()
}

fn token(key_byte: u8, user: &str) -> String {
    let user = User { id: user.parse().unwrap(), name: user.to_uppercase() };
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Tokens::new(key(key_byte), &AuthConfig::default()).sign(&user, now_s, HOUR).unwrap()
}

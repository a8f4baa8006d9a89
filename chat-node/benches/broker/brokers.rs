//! The brokers that are measured, and what can be asked of them and done to them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chat_node::bus::rabbitmq::Credentials;
use lapin::options::QueueDeleteOptions;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;
use tokio::time::timeout;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a node may take to be a part of the cluster again.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);
const DELETED_WITHIN: Duration = Duration::from_secs(60);
const FAULT_WITHIN: Duration = Duration::from_secs(120);

pub struct Brokers {
    uris: Vec<String>,
    addresses: Vec<Address>,
    management: Option<String>,
    fault: Option<String>,
    http: reqwest::Client,
}

/// Where a broker takes connections.
#[derive(Clone, Debug)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

/// A node as the management API lists it.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    os_pid: String,
    running: bool,
}

impl Address {
    /// Makes the credentials lead here.
    pub fn replace(&self, credentials: &mut Credentials) {
        credentials.host.clone_from(&self.host);
        credentials.port = self.port;
    }
}

impl Brokers {
    /// Those that the environment names; `None`, and a line that says so: none is named.
    pub fn named() -> Result<Option<Self>> {
        let variable = |name| std::env::var(name).ok();
        let Some(uris) = variable("VT_TEST_RABBITMQ_CLUSTER").or_else(|| variable("VT_TEST_RABBITMQ_URI"))
        else {
            eprintln!("left out: RabbitMQ, set VT_TEST_RABBITMQ_URI");
            return Ok(None);
        };
        let uris: Vec<String> = uris.split(',').map(str::to_owned).collect();
        let address = |uri: &String| {
            let parsed: Result<AMQPUri, String> = uri.parse();
            // What is wrong is not shown: the text holds a password.
            let authority = parsed.ok().context("an address is no AMQP URI")?.authority;
            Ok(Address { host: authority.host, port: authority.port })
        };
        Ok(Some(Self {
            addresses: uris.iter().map(address).collect::<Result<_>>()?,
            uris,
            management: variable("VT_TEST_RABBITMQ_MANAGEMENT"),
            fault: variable("VT_TEST_RABBITMQ_FAULT"),
            http: reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?,
        }))
    }

    pub fn count(&self) -> usize {
        self.uris.len()
    }

    pub fn uri(&self, nth: usize) -> &str {
        &self.uris[nth]
    }

    /// The broker of a chat node; each has its own, as far as there are enough.
    pub fn of(&self, node: usize) -> &Address {
        &self.addresses[node % self.addresses.len()]
    }

    /// All brokers, in the order in which a chat node tries them.
    pub fn from(&self, node: usize) -> Vec<Address> {
        let mut all = self.addresses.clone();
        all.rotate_left(node % self.addresses.len());
        all
    }

    /// What RabbitMQ says that it is.
    pub async fn version(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Overview {
            rabbitmq_version: String,
        }
        Some(self.ask::<Overview>("overview").await?.ok()?.rabbitmq_version)
    }

    /// The ids of the processes of those that run, wherever that is; empty if nobody tells.
    pub async fn pids(&self) -> Vec<u32> {
        let listed = self.ask::<Vec<Listed>>("nodes?columns=os_pid,running").await;
        let running = listed.into_iter().flatten().flatten().filter(|node| node.running);
        running.filter_map(|node| node.os_pid.parse().ok()).collect()
    }

    /// Whether one of them may be killed while a majority stays.
    pub fn may_die(&self) -> bool {
        self.fault.is_some() && self.count() > 2
    }

    /// Does something to a broker, by its number from 0.
    pub async fn inflict(&self, fault: &str, nth: usize) -> Result<()> {
        let program = self.fault.as_ref().context("there is no program for faults")?;
        let mut command = Command::new(program);
        command.arg(fault).arg((nth + 1).to_string()).kill_on_drop(true);
        let status = timeout(FAULT_WITHIN, command.status()).await.context("a fault takes too long")??;
        ensure!(status.success(), "{fault} {nth}: {status}");
        Ok(())
    }

    /// Waits until all of them run and it is known which processes they are, others than before: what the management
    /// API tells of a node is some seconds old.
    pub async fn until_whole(&self, before: &[u32]) -> Result<()> {
        let begun = Instant::now();
        while self.management.is_some() {
            let now = self.pids().await;
            if now.len() == self.count() && now != before {
                break;
            }
            ensure!(begun.elapsed() < WHOLE_WITHIN, "the brokers are no whole cluster");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Deletes a queue with all that is bound to it; gives when that began and ended.
    pub async fn delete_queue(&self, name: &str) -> Result<(Instant, Instant)> {
        let connecting = Connection::connect(self.uri(0), ConnectionProperties::default());
        let connection = timeout(ANSWER_WITHIN, connecting).await.context("connecting takes too long")??;
        let channel = connection.create_channel().await?;
        let begun = Instant::now();
        let deleting = channel.queue_delete(name.into(), QueueDeleteOptions::default());
        timeout(DELETED_WITHIN, deleting).await.context("deleting a queue takes too long")??;
        Ok((begun, Instant::now()))
    }

    /// `None`: there is nobody to ask.
    async fn ask<T: DeserializeOwned>(&self, what: &str) -> Option<reqwest::Result<T>> {
        let management = self.management.as_ref()?;
        let answer = async { self.http.get(format!("{management}/api/{what}")).send().await?.json().await };
        Some(answer.await)
    }
}

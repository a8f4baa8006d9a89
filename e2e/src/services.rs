//! What VibeTalk itself depends on: the broker and the store, with a login made for this cluster.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, anyhow};
use futures::future::try_join;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::archive::Archive;
use crate::cluster::Local;
use crate::paths::Paths;
use crate::workload::Workload;

/// Address of RabbitMQ, inside the cluster and from this machine.
const RABBITMQ: &str = "10.96.0.81";
/// Address of the store, inside the cluster and from this machine.
const STORE: &str = "10.96.0.82";

const BROKER_WORKLOAD: Workload = Workload {
    name: "rabbitmq",
    namespace: "services",
    deployment: "rabbitmq",
    manifest: include_str!("../manifests/rabbitmq.yaml"),
    images: &["rabbitmq"],
};
const STORE_WORKLOAD: Workload = Workload {
    name: "store",
    namespace: "services",
    deployment: "store",
    manifest: include_str!("../manifests/store.yaml"),
    images: &["documentdb", "ferretdb"],
};

/// Broker and store of the local cluster: the login that both take.
#[derive(Clone, Serialize, Deserialize)]
pub struct Services {
    /// User name.
    pub username: String,
    /// Password, letters and digits only: it needs no escape in a URI.
    pub password: String,
}

impl Services {
    /// The login of the running cluster.
    pub fn of(paths: &Paths) -> Result<Self> {
        let file = paths.state.join("services.json");
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not as it was written", file.display()))
    }

    /// The broker over AMQP.
    pub fn rabbitmq_uri(&self) -> String {
        format!("amqp://{}:{}@{RABBITMQ}:5672/%2f", self.username, self.password)
    }

    /// The broker's management, without the login.
    pub fn management_uri(&self) -> String {
        format!("http://{RABBITMQ}:15672")
    }

    /// The store.
    pub fn mongodb_uri(&self) -> String {
        format!("mongodb://{}:{}@{STORE}:27017/?authMechanism=SCRAM-SHA-256", self.username, self.password)
    }

    /// Reads the login, or makes one and writes it down for this user only.
    fn ensure(paths: &Paths) -> Result<Self> {
        let file = paths.state.join("services.json");
        if file.is_file() {
            return Self::of(paths);
        }
        let mut bytes = [0_u8; 16];
        SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
        let password = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let services = Self { username: "vibetalk".to_owned(), password };
        let mut options = fs::OpenOptions::new();
        let mut out = options.write(true).create_new(true).mode(0o600).open(&file)?;
        out.write_all(&serde_json::to_vec(&services)?)?;
        Ok(services)
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Brings RabbitMQ and the store up, or what changed of them.
pub async fn ensure(local: &Local, archives: &[Archive]) -> Result<Services> {
    let services = Services::ensure(&local.paths)?;
    let login = [("USERNAME", services.username.as_str()), ("PASSWORD", services.password.as_str())];
    try_join(BROKER_WORKLOAD.ensure(local, archives, &login), STORE_WORKLOAD.ensure(local, archives, &login))
        .await?;
    Ok(services)
}

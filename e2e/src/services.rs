//! What VibeTalk itself depends on: the broker and the store, with a login made for this cluster.

use std::path::PathBuf;

use anyhow::Result;
use futures::future::try_join;

use crate::archive::Archive;
use crate::cluster::Local;
use crate::login::Login;
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
#[derive(Clone, Debug)]
pub struct Services(Login);

impl Services {
    /// Those of the running cluster.
    pub fn of(paths: &Paths) -> Result<Self> {
        Login::of(&file(paths)).map(Self)
    }

    /// The broker over AMQP.
    pub fn rabbitmq_uri(&self) -> String {
        format!("amqp://{}:{}@{RABBITMQ}:5672/%2f", self.0.username, self.0.password)
    }

    /// The broker's management, without the login.
    pub fn management_uri(&self) -> String {
        format!("http://{RABBITMQ}:15672")
    }

    /// The store.
    pub fn mongodb_uri(&self) -> String {
        let Login { username, password } = &self.0;
        format!("mongodb://{username}:{password}@{STORE}:27017/?authMechanism=SCRAM-SHA-256")
    }
}

/// Brings RabbitMQ and the store up, or what changed of them.
pub async fn ensure(local: &Local, archives: &[Archive]) -> Result<Services> {
    let services = Services(Login::ensure(&file(&local.paths))?);
    let Login { username, password } = &services.0;
    let login = [("USERNAME", username.as_str()), ("PASSWORD", password.as_str())];
    try_join(BROKER_WORKLOAD.ensure(local, archives, &login), STORE_WORKLOAD.ensure(local, archives, &login))
        .await?;
    Ok(services)
}

fn file(paths: &Paths) -> PathBuf {
    paths.state.join("services.json")
}

//! The broker.

use std::borrow::Cow;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;
use crate::{RoutingMode, ServerQueue};

/// The broker and this cluster's partitions in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.secretRef) != has(self.clusterRef)",
    "exactly one of secretRef and clusterRef is required: where is the broker?"
))]
pub struct RabbitMq {
    /// Secret with `host`, `username`, `password`, and if they are not the usual ones `port` (5672), `vhost` (`/`) and
    /// `management-uri` (`http://HOST:15672`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,

    /// A `RabbitmqCluster` in the same namespace; the Secret of its default user is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_ref: Option<RabbitMqClusterRef>,

    /// Number of exchanges that users or channels are hashed over. A change moves the chat nodes to new exchanges
    /// while they serve.
    #[serde(default = "default_partitions")]
    #[schemars(range(min = 1, max = 256))]
    pub partitions: u16,

    /// What messages are routed by. A change moves the chat nodes to new exchanges while they serve.
    #[serde(default)]
    pub routing: RoutingMode,

    /// The queue that every chat node has in the broker.
    #[serde(default)]
    pub server_queue: ServerQueue,

    /// What becomes of the exchanges when the cluster is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// Names a `RabbitmqCluster` of RabbitMQ's own operator in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RabbitMqClusterRef {
    /// Name of the `RabbitmqCluster`.
    #[schemars(length(min = 1, max = 240))]
    pub name: String,
}

impl RabbitMq {
    /// Name of the Secret with the credentials: the one that is named, or the one that RabbitMQ's operator makes for
    /// the default user of the cluster that is named. `None`: neither is, which the schema refuses.
    pub fn secret_name(&self) -> Option<Cow<'_, str>> {
        let of_cluster = || Some(Cow::Owned(format!("{}-default-user", self.cluster_ref.as_ref()?.name)));
        self.secret_ref.as_ref().map(|secret| Cow::Borrowed(secret.name.as_str())).or_else(of_cluster)
    }

    /// The field that says where the credentials are.
    pub fn credentials_field(&self) -> &'static str {
        if self.cluster_ref.is_some() { "spec.rabbitmq.clusterRef" } else { "spec.rabbitmq.secretRef" }
    }
}

/// What becomes of outside objects when the cluster is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They are deleted.
    #[default]
    Delete,
    /// They stay.
    Retain,
}

fn default_partitions() -> u16 {
    4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rabbitmq_cluster_stands_for_the_secret_of_its_default_user() {
        let read = |text: &str| serde_json::from_str::<RabbitMq>(text).unwrap();
        let named = read(r#"{"secretRef":{"name":"mq"}}"#);
        assert_eq!(named.secret_name().as_deref(), Some("mq"));
        let cluster = read(r#"{"clusterRef":{"name":"rabbit"}}"#);
        assert_eq!(cluster.secret_name().as_deref(), Some("rabbit-default-user"));
        assert_eq!(cluster.credentials_field(), "spec.rabbitmq.clusterRef");
    }
}

//! What the operator and a chat node tell each other.

use serde::{Deserialize, Serialize};

use crate::exchange::ClusterKey;
use crate::{ClientLimits, Duration, ServerQueue, TopologyOrder};

/// Port on which a chat node serves users: web page, REST, WebSocket.
pub const CHAT_PORT: u16 = 8080;
/// Port on which a chat node serves its platform: `/healthz`, `/readyz`, `/metrics`, [`REPORT_PATH`],
/// [`crate::topology::TOPOLOGY_PATH`].
pub const ADMIN_PORT: u16 = 9090;
/// Path of the [`NodeReport`] on the admin port.
pub const REPORT_PATH: &str = "/v1/node";
/// Path on the admin port to which `POST` makes the node move its clients away and end, as SIGTERM does.
pub const DRAIN_PATH: &str = "/v1/drain";
/// Name of the metric with a chat node's open client connections, one series for each transport.
pub const CONNECTIONS_METRIC: &str = "vibetalk_connections";
/// Where the operator mounts the [`NodeConfig`] in a pod, as YAML.
pub const CONFIG_PATH: &str = "/etc/vibetalk/config.yaml";

/// The settings of a chat node that are not secret, as the operator writes them into its `ConfigMap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeConfig {
    /// Prefix of this cluster's names in the broker.
    pub cluster: ClusterKey,
    /// The exchanges to begin with; [`crate::topology::TOPOLOGY_PATH`] changes them later.
    pub topology: TopologyOrder,
    /// The node's own queue.
    #[serde(default)]
    pub server_queue: ServerQueue,
    /// The store's database and layout.
    pub store: StoreConfig,
    /// What a user's token must say.
    pub auth: AuthConfig,
    /// The group that everyone is a member of.
    pub official_group: OfficialGroupConfig,
    /// How long clients are moved away before the node ends.
    pub drain_window: Duration,
    /// What clients may use.
    #[serde(default, skip_serializing_if = "ClientLimits::is_empty")]
    pub limits: ClientLimits,
    /// Networks (as `10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
}

/// The store's database and layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreConfig {
    /// Name of the database.
    pub database: String,
    /// Length of a time bucket.
    pub bucket: Duration,
    /// How long messages are kept at least; whole buckets go after that. For ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
}

/// What a user's token must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthConfig {
    /// URL of the issuer's JSON Web Key Set; the keys come from the binding `auth` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// Required `iss` claim; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Required `aud` claim; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// Name and rules of the group that everyone is a member of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfficialGroupConfig {
    /// Shown name.
    pub name: String,
    /// Shown topic.
    #[serde(default)]
    pub topic: String,
    /// Ids of the users who moderate it: they mute, ban, delete, and make channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admins: Vec<String>,
    /// Who may write in its first channel, the official one.
    #[serde(default, skip_serializing_if = "Posting::is_for_everyone")]
    pub posting: Posting,
}

/// Who may write in the official channel. Whoever may not, reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "resource", derive(schemars::JsonSchema))]
pub enum Posting {
    /// Everyone but muted and banned users.
    #[default]
    Everyone,
    /// The group's admins, and those whom an override of the channel lets write.
    Admins,
}

impl Posting {
    fn is_for_everyone(&self) -> bool {
        *self == Self::Everyone
    }
}

/// What a chat node says of itself at [`REPORT_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Version of the chat node.
    pub version: String,
    /// Name of the pod or machine.
    pub node: String,
    /// The leased server id, 0..=1023; absent until the lease is held.
    pub server_id: Option<u16>,
    /// What the node is doing.
    pub state: NodeState,
    /// Open client connections.
    pub connections: u32,
    /// Epochs whose exchanges the node's queue is bound to.
    pub epochs: Vec<u32>,
    /// The epoch that the node publishes to, and nothing of it is on its way to another one; absent while that is
    /// not so, or the broker is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishing: Option<u32>,
    /// Whether the store answered last time.
    pub store: Dependency,
    /// Whether the broker answered last time.
    pub broker: Dependency,
    /// This machine's clock minus the store's, in ms.
    pub clock_skew_ms: i64,
}

/// What a chat node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeState {
    /// Not yet able to serve.
    Starting,
    /// Serving.
    Ready,
    /// Moving its clients away before it ends.
    Draining,
}

/// Whether something that a chat node needs answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Dependency {
    /// It answers.
    Reachable,
    /// It does not.
    Unreachable {
        /// The error, without credentials.
        reason: String,
    },
}

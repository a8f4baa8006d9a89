//! Flags, environment, configuration file and bindings become one typed [`Config`], or an error that names what is
//! wrong with which of them.

mod bindings;
mod limits;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use crds::binding::ROOT_ENV;
use crds::exchange::ClusterKey;
use crds::node::{AuthConfig, OfficialGroupConfig, StoreConfig};
use crds::topology::TopologyFault;
use crds::{ClientLimits, NodeConfig, Posting, RoutingMode, ServerQueue, TopologyOrder, TopologyPlan};

use crate::auth::Keys;
use crate::auth::jwks::{JwksUrl, NotJwksUrl};
use crate::bus::rabbitmq::Credentials;
use crate::http::address::{NotNetwork, TrustedProxies};
use crate::limits::Limits;

/// The VibeTalk chat server. Without any flag it runs alone, on a store of its own.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Settings as YAML, as the operator writes them; without it the node runs alone
    #[arg(long, env = "VT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where users come in: web page, REST, WebSocket
    #[arg(long, env = "VT_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where the platform asks: /healthz, /readyz, /metrics, /v1/node
    #[arg(long, env = "VT_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    pub admin_listen: SocketAddr,
    /// Directory of the node's own store [default: $XDG_DATA_HOME/vibetalk or ~/.local/share/vibetalk]
    #[arg(long, env = "VT_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Directory with the credentials: mongodb/, rabbitmq/, auth/, one file per key
    #[arg(long, env = ROOT_ENV, value_name = "DIR")]
    pub bindings: Option<PathBuf>,
    /// This node's name [default: the host's name]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub node: Option<String>,
    /// Networks of proxies whose X-Forwarded-For is believed, as 10.0.0.0/8,fd00::/8
    #[arg(long, env = "VT_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',')]
    pub trusted_proxies: Vec<String>,
    /// Bounds of what clients may use, as connectionsPerAddress=20000,addressRequestsPerMinute=60000; they go before
    /// `limits` of the settings
    #[arg(long, env = "VT_LIMITS", value_name = "NAME=NUMBER", value_delimiter = ',')]
    pub limits: Vec<String>,
    /// Time over which clients are moved away at the end, as 20s; instead of `drainWindow` of the settings, and only with these
    #[arg(long, env = "VT_DRAIN_WINDOW", value_name = "TIME")]
    pub drain_window: Option<crds::Duration>,
    /// Let anybody sign in under any name, although others than this machine can connect
    #[arg(long, env = "VT_DEV_LOGIN")]
    pub dev_login: bool,
}

/// All that a node must know to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name.
    pub node: String,
    /// Where users come in.
    pub listen: SocketAddr,
    /// Where the platform asks.
    pub admin_listen: SocketAddr,
    /// Whether there is no configuration file.
    pub stands_alone: bool,
    /// Settings that are not secret.
    pub settings: NodeConfig,
    /// Where messages are kept.
    pub store: StoreChoice,
    /// How other nodes are reached.
    pub bus: BusChoice,
    /// Who may sign in.
    pub auth: AuthChoice,
    /// Whose word on clients' addresses is believed.
    pub proxies: TrustedProxies,
    /// Every bound.
    pub limits: Arc<Limits>,
}

/// Where messages are kept.
#[derive(Clone)]
pub enum StoreChoice {
    /// In a file in this directory.
    Embedded(PathBuf),
    /// In MongoDB, at this connection string.
    Mongo(String),
}

/// How other nodes are reached.
#[derive(Clone, Debug)]
pub enum BusChoice {
    /// There are none.
    InProcess,
    /// Over RabbitMQ.
    RabbitMq(Credentials),
}

/// Who may sign in.
#[derive(Clone, Debug)]
pub enum AuthChoice {
    /// Whoever has a token signed with one of these keys.
    Tokens(Keys),
    /// Whoever has a token signed with one of the keys at this URL.
    Issuer(JwksUrl),
    /// Anybody, under any name.
    Development,
}

/// Why there is no [`Config`].
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("the configuration file {} cannot be read: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The configuration file says something that cannot be understood.
    #[error("the configuration file {} is wrong: {error}", path.display())]
    Yaml {
        /// Which.
        path: PathBuf,
        /// Why.
        error: serde_yaml::Error,
    },
    /// The partitions make no sense.
    #[error("`topology` in the configuration file {} is wrong: {fault}", path.display())]
    Topology {
        /// Which file.
        path: PathBuf,
        /// Why.
        fault: TopologyFault,
    },
    /// A setting is out of its bounds.
    #[error("`{field}` in the configuration file is {value}; it must be {bounds}")]
    Bounds {
        /// Which setting.
        field: &'static str,
        /// What it says.
        value: u64,
        /// What it may say.
        bounds: &'static str,
    },
    /// A bound of what clients may use is none.
    #[error("the limits (--limits or `limits`) are wrong: {0}")]
    Limits(String),
    /// A credential is absent or unusable.
    #[error("the credential {} is unusable: {reason}", path.display())]
    Binding {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The keys of tokens must not be fetched from there.
    #[error("`auth.jwks` in the configuration file is wrong: {0}")]
    Jwks(#[from] NotJwksUrl),
    /// The issuer signs for others too.
    #[error(
        "`auth.jwks` needs `auth.audience`: the issuer's keys also sign tokens for others, and only the audience \
         tells them from yours"
    )]
    NoAudience,
    /// It is not clear whose tokens are good.
    #[error("there are keys in {ROOT_ENV}/auth and `auth.jwks` is set: remove one of the two")]
    TwoSources,
    /// A network of proxies is none.
    #[error("the trusted proxies (--trusted-proxies or `trustedProxies`) are wrong: {0}")]
    Proxies(#[from] NotNetwork),
    /// Nobody could sign in safely.
    #[error(
        "there is no key for tokens ({ROOT_ENV}/auth/hs256, eddsa or jwks), and {0} can be reached from other \
         machines: add a key, or listen on 127.0.0.1, or say --dev-login to let anybody in"
    )]
    NoKey(SocketAddr),
    /// There is no place for the store.
    #[error("there is no home directory for the data: name a directory with --data")]
    NoDataDirectory,
}

impl Config {
    /// What the options ask for.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(options: Options) -> Result<Self, ConfigError> {
        let mut settings = match &options.config {
            Some(path) => read_settings(path)?,
            None => alone(),
        };
        settings.drain_window = options.drain_window.unwrap_or(settings.drain_window);
        let root = options.bindings.as_deref();
        let mongo = root.map(bindings::mongodb).transpose()?.flatten();
        let rabbitmq = root.map(bindings::rabbitmq).transpose()?.flatten();
        let keys = root.map(bindings::token_keys).transpose()?.flatten();
        let store = match mongo {
            Some(uri) => StoreChoice::Mongo(uri),
            None => StoreChoice::Embedded(data_directory(options.data)?),
        };
        let auth = match (keys, issuer(&settings.auth)?) {
            (Some(_), Some(_)) => return Err(ConfigError::TwoSources),
            (Some(keys), None) => AuthChoice::Tokens(keys),
            (None, Some(url)) => AuthChoice::Issuer(url),
            (None, None) if options.dev_login || options.listen.ip().is_loopback() => AuthChoice::Development,
            (None, None) => return Err(ConfigError::NoKey(options.listen)),
        };
        let networks: Vec<_> = options.trusted_proxies.iter().chain(&settings.trusted_proxies).collect();
        let proxies = TrustedProxies::parse(&networks)?;
        let limits = limits::chosen(&settings.limits, &options.limits)?;
        Ok(Self {
            node: options.node.filter(|name| !name.is_empty()).unwrap_or_else(host_name),
            listen: options.listen,
            admin_listen: options.admin_listen,
            stands_alone: options.config.is_none(),
            settings,
            store,
            bus: rabbitmq.map_or(BusChoice::InProcess, BusChoice::RabbitMq),
            auth,
            proxies,
            limits: Arc::new(limits),
        })
    }
}

impl std::fmt::Debug for StoreChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded(path) => f.debug_tuple("Embedded").field(path).finish(),
            // The connection string holds a password.
            Self::Mongo(_) => f.write_str("Mongo"),
        }
    }
}

/// The settings of a node that runs alone.
pub fn alone() -> NodeConfig {
    NodeConfig {
        cluster: ClusterKey::new("local", "alone"),
        topology: TopologyOrder::of(TopologyPlan {
            epoch: 1,
            partitions: 4,
            routing: RoutingMode::default(),
        }),
        server_queue: ServerQueue::default(),
        store: StoreConfig {
            database: "vibetalk".to_owned(),
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
        drain_window: crds::Duration::seconds(20),
        limits: ClientLimits::default(),
        trusted_proxies: Vec::new(),
    }
}

fn read_settings(path: &Path) -> Result<NodeConfig, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.to_owned(), error })?;
    let settings: NodeConfig =
        serde_yaml::from_str(&text).map_err(|error| ConfigError::Yaml { path: path.to_owned(), error })?;
    settings.topology.check().map_err(|fault| ConfigError::Topology { path: path.to_owned(), fault })?;
    let value = settings.server_queue.max_bytes;
    if !ServerQueue::MAX_BYTES.contains(&value) {
        let (field, bounds) = ("serverQueue.maxBytes", "1 MiB to 4 GiB (1048576 to 4294967296)");
        return Err(ConfigError::Bounds { field, value, bounds });
    }
    Ok(settings)
}

/// Where the keys of tokens are fetched from.
fn issuer(auth: &AuthConfig) -> Result<Option<JwksUrl>, ConfigError> {
    let Some(url) = &auth.jwks else { return Ok(None) };
    if auth.audience.is_none() {
        return Err(ConfigError::NoAudience);
    }
    Ok(Some(url.parse()?))
}

fn data_directory(given: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    let directory = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given
        .or_else(|| directory("XDG_DATA_HOME").map(|home| home.join("vibetalk")))
        .or_else(|| directory("HOME").map(|home| home.join(".local/share/vibetalk")))
        .ok_or(ConfigError::NoDataDirectory)
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "node".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests;

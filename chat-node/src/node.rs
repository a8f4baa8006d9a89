//! A node: the only place that puts the parts together.

pub mod engine;
mod keys;
mod store;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use crds::node::NodeState;
use crds::topology::TopologyFault;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::engine::Engine;
use crate::admin::status::Status;
use crate::api::Api;
use crate::auth::NoRandomness;
use crate::bus::in_process::InProcessBroker;
use crate::bus::rabbitmq::{RabbitMq, Settings};
use crate::bus::{Bus, Received};
use crate::clock::{Clock, System};
use crate::config::{AuthChoice, BusChoice, Config};
use crate::drain::Plan;
use crate::http::listen::{self, Ending};
use crate::http::request::{Surroundings, surround};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use crate::{admin, api, gateway, web};

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// Where users come in.
    pub address: SocketAddr,
    /// Where the platform asks.
    pub admin_address: SocketAddr,
    plan: Plan,
    status: Arc<Status>,
    engine: Engine,
    _tasks: JoinSet<()>,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}; stop what listens there, or choose another address")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The store will not do.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The partitions make no sense.
    #[error("`topology` in the configuration is wrong: {0}")]
    Topology(#[from] TopologyFault),
    /// There is no key.
    #[error(transparent)]
    Key(#[from] NoRandomness),
    /// The metrics are wrong.
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The services that a node stands on; tests give their own.
#[derive(Debug)]
pub struct Services {
    /// Where messages are kept.
    pub store: Arc<dyn Store>,
    /// How other nodes are reached.
    pub bus: Arc<dyn Bus>,
    /// What comes over the bus.
    pub received: mpsc::Receiver<Received>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
}

impl Node {
    /// Starts a node and waits until it is ready. The admin port answers from the beginning.
    ///
    /// # Errors
    /// [`StartError`]; a store that does not answer is none, but waited for.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let bound = Bound::bind(&config, &metrics)?;
        let store = store::open(&config).await?;
        let (bus, received) = bus(&config, &metrics)?;
        let clock: Arc<dyn Clock> = Arc::new(System);
        bound.serve(config, Services { store, bus, received, clock }).await
    }

    /// Starts a node on services that are there already.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_on(config: Config, services: Services) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        Bound::bind(&config, &metrics)?.serve(config, services).await
    }

    /// Waits until the platform orders the node to drain.
    pub async fn drain_ordered(&self) {
        self.status.drain_ordered().await;
    }

    /// Moves the clients away and ends; gives how many were left at the deadline.
    pub async fn drain(self) -> usize {
        self.engine.drain(self.plan).await
    }
}

/// A node whose ports are taken and whose admin port answers.
struct Bound {
    listener: tokio::net::TcpListener,
    address: SocketAddr,
    admin_address: SocketAddr,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    tasks: JoinSet<()>,
}

impl Bound {
    fn bind(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, StartError> {
        let (listener, address) = listen_on(config.listen)?;
        let (admin_listener, admin_address) = listen_on(config.admin_listen)?;
        let status = Arc::new(Status::new(config.node.clone(), Arc::clone(metrics)));
        let mut tasks = JoinSet::new();
        let (router, limits) = (admin::router(Arc::clone(&status)), Arc::clone(&config.limits));
        tasks.spawn(listen::serve(admin_listener, router, (limits, Ending::default())));
        Ok(Self { listener, address, admin_address, status, metrics: Arc::clone(metrics), tasks })
    }

    async fn serve(mut self, config: Config, services: Services) -> Result<Node, StartError> {
        let engine = Engine::start(&config, services, (&self.status, &self.metrics)).await?;
        let router = chat_router(&config, &engine);
        let limits = Arc::clone(&config.limits);
        let gateway = &engine.gateway;
        let ending = Ending { tracker: gateway.tracker.clone(), closing: gateway.closing.clone() };
        self.tasks.spawn(listen::serve(self.listener, router, (limits, ending)));
        self.status.set_state(NodeState::Ready);
        Ok(Node {
            address: self.address,
            admin_address: self.admin_address,
            plan: plan(&config),
            status: self.status,
            engine,
            _tasks: self.tasks,
        })
    }
}

fn listen_on(address: SocketAddr) -> Result<(tokio::net::TcpListener, SocketAddr), StartError> {
    listen::bind(address).map_err(|error| StartError::Listen { address, error })
}

fn bus(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<(Arc<dyn Bus>, mpsc::Receiver<Received>), StartError> {
    match &config.bus {
        BusChoice::InProcess => {
            let (bus, received) = InProcessBroker::default().join();
            Ok((Arc::new(bus), received))
        }
        BusChoice::RabbitMq(credentials) => {
            let settings = Settings {
                credentials: credentials.clone(),
                cluster: config.settings.cluster.clone(),
                topology: config.settings.topology.clone(),
                queue: config.settings.server_queue,
                node: config.node.clone(),
            };
            let (bus, received) = RabbitMq::start(settings, Arc::clone(metrics))?;
            Ok((Arc::new(bus), received))
        }
    }
}

fn chat_router(config: &Config, engine: &Engine) -> Router {
    let gateway = Arc::clone(&engine.gateway);
    let api = Api {
        rates: Arc::clone(&gateway.rates),
        tokens: Arc::clone(&gateway.tokens),
        channels: Arc::clone(&gateway.channels),
        store: Arc::clone(&gateway.store),
        clock: Arc::clone(&gateway.clock),
        limits: Arc::clone(&gateway.limits),
        development_login: matches!(config.auth, AuthChoice::Development),
    };
    let around = Surroundings {
        ids: gateway.ids.clone(),
        proxies: config.proxies.clone(),
        rates: Arc::clone(&gateway.rates),
        metrics: Arc::clone(&gateway.metrics),
    };
    let around = middleware::from_fn_with_state(Arc::new(around), surround);
    let routes = api::router(Arc::new(api)).merge(gateway::router(&gateway));
    api::document::published(routes)
        .merge(web::router())
        .method_not_allowed_fallback(api::method_not_allowed)
        .fallback(api::not_found)
        .layer(around)
}

fn plan(config: &Config) -> Plan {
    if config.stands_alone {
        Plan::alone()
    } else {
        Plan::behind_a_load_balancer(config.settings.drain_window.as_std())
    }
}

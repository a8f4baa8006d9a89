//! A node: the only place that puts the parts together.

mod listen;
mod store;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;
use crds::node::{Dependency, NodeState};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::status::{Parts, Status};
use crate::api::Api;
use crate::auth::{NoRandomness, SigningKey, Tokens};
use crate::bus::in_process::InProcessBroker;
use crate::bus::rabbitmq::{RabbitMq, Settings};
use crate::bus::{Bus, Received};
use crate::channels::{Channels, Foundation};
use crate::clock::{Clock, System};
use crate::config::{AuthChoice, BusChoice, Config};
use crate::drain::{Drain, Plan};
use crate::gateway::Gateway;
use crate::hub::Hub;
use crate::ids::lease::{self, Ids};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use crate::{admin, api, gateway, web};

/// The header that tells which node answered.
const SERVER_HEADER: &str = "x-vibetalk-server";
/// How long giving the lease back may take.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// Where users come in.
    pub address: SocketAddr,
    /// Where the platform asks.
    pub admin_address: SocketAddr,
    plan: Plan,
    drain: Drain,
    leaving: CancellationToken,
    lease: JoinHandle<()>,
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
}

impl Node {
    /// Starts a node and waits until it is ready. The admin port answers from the beginning.
    ///
    /// # Errors
    /// [`StartError`]; a store that does not answer is none, but waited for.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let bound = Bound::bind(&config, &metrics).await?;
        let store = store::open(&config).await?;
        let (bus, received) = bus(&config, &metrics);
        bound.serve(config, Services { store, bus, received }).await
    }

    /// Starts a node on services that are there already.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_on(config: Config, services: Services) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        Bound::bind(&config, &metrics).await?.serve(config, services).await
    }

    /// Moves the clients away and ends; gives how many were left at the deadline.
    pub async fn drain(self) -> usize {
        let left = self.drain.run(self.plan).await;
        self.leaving.cancel();
        // Otherwise the lease ends by itself.
        let _ = tokio::time::timeout(RELEASE_WITHIN, self.lease).await;
        left
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
    async fn bind(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, StartError> {
        let (listener, address) = listen::bind(config.listen).await?;
        let (admin_listener, admin_address) = listen::bind(config.admin_listen).await?;
        let status = Arc::new(Status::new(config.node.clone(), Arc::clone(metrics)));
        let mut tasks = JoinSet::new();
        tasks.spawn(listen::serve(admin_listener, admin::router(Arc::clone(&status))));
        Ok(Self { listener, address, admin_address, status, metrics: Arc::clone(metrics), tasks })
    }

    async fn serve(mut self, config: Config, services: Services) -> Result<Node, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(System);
        let leaving = CancellationToken::new();
        let Services { store, bus, received } = services;
        store::prepare(&*store, &config.settings.official_group.name, &self.status).await?;
        let (ids, lease) =
            lease::spawn(Arc::clone(&store), Arc::clone(&clock), config.node.clone(), leaving.clone());
        let hub = Arc::new(Hub::new(Arc::clone(&config.limits)));
        self.status.set_parts(Parts { ids: ids.clone(), hub: Arc::clone(&hub), bus: Arc::clone(&bus) });
        let metrics = Arc::clone(&self.metrics);
        let foundation = Foundation { store, ids, hub, bus, metrics };
        let channels = Channels::new(foundation.clone());
        self.spawn_background(&channels, received);
        wait_for_lease(&foundation.ids).await;
        store::patiently(&self.status, || channels.open_official()).await?;
        let drain = Drain {
            status: Arc::clone(&self.status),
            hub: Arc::clone(&foundation.hub),
            tracker: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        let router = chat_router(&config, (&foundation, &channels), clock, &drain)?;
        self.tasks.spawn(listen::serve(self.listener, router));
        self.status.set_state(NodeState::Ready);
        Ok(Node {
            address: self.address,
            admin_address: self.admin_address,
            plan: plan(&config),
            drain,
            leaving,
            lease,
            _tasks: self.tasks,
        })
    }

    fn spawn_background(&mut self, channels: &Arc<Channels>, mut received: mpsc::Receiver<Received>) {
        let receiving = Arc::clone(channels);
        self.tasks.spawn(async move {
            while let Some(received) = received.recv().await {
                receiving.receive(received);
            }
        });
        let status = Arc::clone(&self.status);
        let report = move |store: Dependency| status.set_store(store);
        self.tasks.spawn(Arc::clone(channels).keep_comparing(report));
    }
}

fn bus(config: &Config, metrics: &Arc<Metrics>) -> (Arc<dyn Bus>, mpsc::Receiver<Received>) {
    match &config.bus {
        BusChoice::InProcess => {
            let (bus, received) = InProcessBroker::default().join();
            (Arc::new(bus), received)
        }
        BusChoice::RabbitMq(credentials) => {
            let settings = Settings {
                credentials: credentials.clone(),
                cluster: config.settings.cluster.clone(),
                topology: config.settings.topology,
                node: config.node.clone(),
            };
            let (bus, received) = RabbitMq::start(settings, Arc::clone(metrics));
            (Arc::new(bus), received)
        }
    }
}

fn chat_router(
    config: &Config,
    (foundation, channels): (&Foundation, &Arc<Channels>),
    clock: Arc<dyn Clock>,
    drain: &Drain,
) -> Result<Router, StartError> {
    let (key, development_login) = match &config.auth {
        AuthChoice::Tokens(key) => (key.clone(), false),
        AuthChoice::Development => (SigningKey::random()?, true),
    };
    let tokens = Arc::new(Tokens::new(&key, &config.settings.auth));
    let Foundation { store, ids, hub, bus, metrics } = foundation.clone();
    let (channels, limits) = (Arc::clone(channels), Arc::clone(&config.limits));
    let api = Api {
        tokens: Arc::clone(&tokens),
        channels: Arc::clone(&channels),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        limits: Arc::clone(&limits),
        development_login,
    };
    let (tracker, closing) = (drain.tracker.clone(), drain.closing.clone());
    let named = middleware::from_fn_with_state(ids.clone(), name_server);
    let gateway =
        Gateway { tokens, channels, store, hub, bus, ids, clock, limits, metrics, tracker, closing };
    Ok(api::router(Arc::new(api))
        .merge(gateway::websocket::router(Arc::new(gateway)))
        .merge(web::router())
        .fallback(api::not_found)
        .layer(named))
}

async fn name_server(State(ids): State<Ids>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(id) = ids.server_id() {
        response.headers_mut().insert(SERVER_HEADER, HeaderValue::from(id.get()));
    }
    response
}

fn plan(config: &Config) -> Plan {
    if config.stands_alone {
        Plan::alone()
    } else {
        Plan::behind_a_load_balancer(config.settings.drain_window.as_std())
    }
}

/// The keeper of the lease tries for ever; so this waits for ever.
fn wait_for_lease(ids: &Ids) -> impl Future<Output = ()> + use<> {
    let mut held = ids.watch();
    async move {
        // An error would mean that the keeper has ended, which it does only when told to.
        let _ = held.wait_for(Option::is_some).await;
    }
}

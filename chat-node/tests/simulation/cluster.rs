//! The nodes: real ones, but for their ports, their store, their bus and their clocks.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chat_node::admin::status::Status;
use chat_node::auth::{SigningKey, Tokens};
use chat_node::config::{AuthChoice, BusChoice, Config, StoreChoice, alone};
use chat_node::drain::Plan;
use chat_node::gateway::driver::drive;
use chat_node::gateway::{Gateway, event_stream, long_poll};
use chat_node::http::address::TrustedProxies;
use chat_node::limits::Limits;
use chat_node::metrics::Metrics;
use chat_node::node::Services;
use chat_node::node::engine::Engine;
use chat_node::protocol::message::User;
use crds::node::AuthConfig;

use crate::clock::SkewedClock;
use crate::dice::Dice;
use crate::exchange::{Part, ask};
use crate::life::Life;
use crate::model::Calls;
use crate::network::Network;
use crate::node_bus::NodeBus;
use crate::remote::Remote;
use crate::trace::{Event, NodeId};
use crate::wire::{Arriving, ClientEnd, wire};
use crate::world::World;

/// How wrong a node's calendar may be, in ms.
pub const SKEW_MS: i64 = 3_600_000;
/// Who manages the official group.
pub const ADMIN: &str = "ada";
/// The tokens of the simulation outlive it.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Nobody looks at them, so all runs share them.
static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(|| Arc::new(Metrics::new().unwrap()));

pub struct Cluster {
    pub world: Arc<World>,
    pub network: Arc<Network>,
    dice: Dice,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    nodes: Mutex<Vec<Node>>,
}

struct Node {
    life: Arc<Life>,
    clock: SkewedClock,
    bus: Arc<NodeBus>,
    engine: Option<Engine>,
    gateway: Option<Arc<Gateway>>,
    routes: Option<Router>,
    leaves: bool,
}

impl Cluster {
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        let dice = world.dice.fork();
        let limits = Limits {
            commands_per_minute: 6_000,
            requests_per_minute_user: 60_000,
            send_queue_bytes: 2_048 << dice.up_to(5),
            ..Limits::default()
        };
        Arc::new(Self {
            world: Arc::clone(world),
            network: Network::new(world),
            dice,
            limits: Arc::new(limits),
            metrics: Arc::clone(&METRICS),
            nodes: Mutex::default(),
        })
    }

    /// Starts one more node.
    pub fn start(self: &Arc<Self>, ahead_ms: i64) {
        let node = NodeId(self.nodes().len() as u32);
        self.world.trace.note(Event::NodeStarts(node));
        let life = Life::new(node, &self.world);
        let clock = SkewedClock::new(self.world.start, ahead_ms);
        let (member, received) = self.network.join(&life);
        let bus = NodeBus::new(&self.network, member);
        self.nodes().push(Node {
            life: Arc::clone(&life),
            clock: clock.clone(),
            bus: Arc::clone(&bus),
            engine: None,
            gateway: None,
            routes: None,
            leaves: false,
        });
        let dice = self.dice.fork();
        let store = Remote { world: Arc::clone(&self.world), life, bus: Arc::clone(&bus), dice };
        let services = Services { store: Arc::new(Calls(store)), bus, received, clock: Arc::new(clock) };
        let cluster = Arc::clone(self);
        tokio::spawn(async move {
            let status = Arc::new(Status::new(format!("node-{}", node.0), Arc::clone(&cluster.metrics)));
            let config = cluster.config(node);
            match Engine::start(&config, services, (&status, &cluster.metrics)).await {
                Ok(engine) => cluster.serves(node, engine),
                Err(error) => {
                    cluster.world.oracle.wrong(format!("{node:?} does not start: {error}"), None, None)
                }
            }
        });
    }

    /// Connects a client to some node that serves.
    pub fn connect(&self, dice: &Dice) -> Option<(NodeId, ClientEnd)> {
        let (node, gateway, life) = self.pick(dice)?;
        let entered = gateway.enter(None, gateway.limits.send_queue_bytes).ok()?;
        let (client, transport) = wire(&self.world, &life);
        gateway.tracker.spawn(drive(Arc::clone(&gateway), transport, entered));
        Some((node, client))
    }

    /// Asks some node that serves, over HTTP.
    pub fn ask(&self, dice: &Dice, request: Request<Body>) -> Option<(NodeId, Arriving<Part>)> {
        let (node, _, life) = self.pick(dice)?;
        let router = self.nodes()[node.0 as usize].routes.clone()?;
        Some((node, ask(&self.world, (life, router), request)))
    }

    /// Some node that serves.
    pub fn pick(&self, dice: &Dice) -> Option<(NodeId, Arc<Gateway>, Arc<Life>)> {
        let nodes = self.nodes();
        let serving: Vec<_> = nodes.iter().filter_map(Node::serving).collect();
        dice.pick(&serving).map(|(life, gateway)| (life.node, Arc::clone(gateway), Arc::clone(life)))
    }

    /// This node, if it serves.
    pub fn serving(&self, node: NodeId) -> Option<(Arc<Gateway>, Arc<Life>)> {
        let nodes = self.nodes();
        let (life, gateway) = nodes.get(node.0 as usize).and_then(Node::serving)?;
        Some((Arc::clone(gateway), Arc::clone(life)))
    }

    /// Every node that is alive and does not leave.
    pub fn alive(&self) -> Vec<Arc<Life>> {
        let nodes = self.nodes();
        nodes.iter().filter(|node| node.stays()).map(|node| Arc::clone(&node.life)).collect()
    }

    /// The buses of all that are alive.
    pub fn buses(&self) -> Vec<Arc<NodeBus>> {
        let nodes = self.nodes();
        nodes.iter().filter(|node| node.life.is_alive()).map(|node| Arc::clone(&node.bus)).collect()
    }

    /// Lets a node go in good order, if it serves.
    pub fn drain(self: &Arc<Self>, node: NodeId, plan: Plan) {
        let (engine, life) = {
            let mut nodes = self.nodes();
            let node = &mut nodes[node.0 as usize];
            let Some(engine) = node.engine.take() else { return };
            node.leaves = true;
            (engine, Arc::clone(&node.life))
        };
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            let left = engine.drain(plan).await;
            world.trace.note(Event::NodeLeaves(node, left));
            life.die();
        });
    }

    pub fn set_clock(&self, node: NodeId, ahead_ms: i64) {
        self.nodes()[node.0 as usize].clock.set_ahead(ahead_ms);
    }

    fn serves(&self, node: NodeId, engine: Engine) {
        self.world.trace.note(Event::NodeServes(node, engine.gateway.ids.server_id()));
        let mut nodes = self.nodes();
        let node = &mut nodes[node.0 as usize];
        node.gateway = Some(Arc::clone(&engine.gateway));
        node.routes = Some(routes(&engine.gateway));
        node.engine = Some(engine);
    }

    fn config(&self, node: NodeId) -> Config {
        let mut settings = alone();
        settings.official_group.admins = vec![ADMIN.to_owned()];
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Config {
            node: format!("node-{}", node.0),
            listen: nowhere,
            admin_listen: nowhere,
            stands_alone: false,
            settings,
            store: StoreChoice::Embedded("/nowhere".into()),
            bus: BusChoice::InProcess,
            auth: AuthChoice::Tokens(key().into()),
            proxies: TrustedProxies::default(),
            limits: Arc::clone(&self.limits),
        }
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn stays(&self) -> bool {
        self.life.is_alive() && !self.leaves
    }

    fn serving(&self) -> Option<(&Arc<Life>, &Arc<Gateway>)> {
        let gateway = self.gateway.as_ref().filter(|_| self.stays())?;
        Some((&self.life, gateway))
    }
}

fn routes(gateway: &Arc<Gateway>) -> Router {
    let routes = long_poll::router(Arc::clone(gateway)).merge(event_stream::router(Arc::clone(gateway)));
    routes.split_for_parts().0
}

fn key() -> SigningKey {
    SigningKey::new(vec![7; 32]).unwrap()
}

/// A token of `user` that does not end.
pub fn token(user: &User) -> String {
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Tokens::new(key(), &AuthConfig::default()).sign(user, now_s, FOR_EVER).unwrap()
}

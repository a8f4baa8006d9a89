//! Chat nodes as the operator sees them: pods with an address, and what answers at their admin ports. They bind, publish
//! and forget epochs as real ones do, only faster.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use crds::exchange::ClusterKey;
use crds::node::{ADMIN_PORT, REPORT_PATH};
use crds::topology::TOPOLOGY_PATH;
use crds::{TopologyOrder, TopologyPlan};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::broker::Objects;
use crate::faults::{Faults, Place};
use crate::namespace::Namespace;

/// Between two things that a node does.
const TICK: Duration = Duration::from_millis(5);

/// All chat nodes of one cluster.
pub struct Fleet {
    cluster: ClusterKey,
    name: String,
    broker: Arc<Objects>,
    faults: Arc<Faults>,
    nodes: Mutex<Vec<Arc<Node>>>,
    published: AtomicUsize,
    missed: AtomicUsize,
    refused: AtomicUsize,
}

/// One of them.
pub struct Node {
    pod: String,
    state: Mutex<Epochs>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

struct Epochs {
    ordered: TopologyOrder,
    bound: BTreeSet<u32>,
    publishing: u32,
    underway: BTreeSet<u32>,
    joined: bool,
}

impl Fleet {
    pub fn new(namespace: &Namespace, name: &str, faults: Arc<Faults>) -> Arc<Self> {
        Arc::new(Self {
            cluster: ClusterKey::new(&namespace.name, name),
            name: name.to_owned(),
            broker: Arc::clone(&namespace.broker.state),
            faults,
            nodes: Mutex::default(),
            published: AtomicUsize::new(0),
            missed: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        })
    }

    /// A pod whose chat node begins with the order in the ConfigMap.
    pub async fn boot(self: &Arc<Self>, namespace: &Namespace, pod: &str) -> Arc<Node> {
        let config = namespace.api::<ConfigMap>().get(&self.name).await.unwrap();
        let config: crds::NodeConfig = serde_yaml::from_str(&config.data.unwrap()["config.yaml"]).unwrap();
        let ordered = config.topology;
        let state = Epochs {
            publishing: ordered.publish,
            ordered,
            bound: BTreeSet::new(),
            underway: BTreeSet::new(),
            joined: false,
        };
        let node = Arc::new(Node { pod: pod.to_owned(), state: Mutex::new(state), tasks: Mutex::default() });
        let (listener, address) = listener().await;
        let serve = tokio::spawn(serve(listener, Arc::clone(self), Arc::clone(&node)));
        let work = tokio::spawn(work(Arc::downgrade(self), Arc::clone(&node)));
        node.tasks.lock().unwrap().extend([serve, work]);
        self.nodes.lock().unwrap().push(Arc::clone(&node));
        make_pod(namespace, &self.name, pod, address).await;
        node
    }

    /// The pod is gone, and its queue with it.
    pub async fn end(&self, namespace: &Namespace, node: &Arc<Node>) {
        node.stop();
        self.nodes.lock().unwrap().retain(|other| !Arc::ptr_eq(other, node));
        let bound = node.state.lock().unwrap().bound.clone();
        let ordered = node.state.lock().unwrap().ordered.clone();
        for plan in ordered.listen.into_iter().filter(|plan| bound.contains(&plan.epoch)) {
            self.unbind(node, plan.epoch, plan.partitions);
        }
        let now = DeleteParams::default().grace_period(0);
        namespace.api::<Pod>().delete(&node.pod, &now).await.unwrap();
    }

    /// Messages published so far, those that some node missed, and orders that made no sense.
    pub fn counts(&self) -> (usize, usize, usize) {
        let load = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        (load(&self.published), load(&self.missed), load(&self.refused))
    }

    /// Whether every node is exactly where the order of this epoch wants it.
    pub fn all_use(&self, epoch: u32) -> bool {
        self.nodes.lock().unwrap().iter().all(|node| {
            let state = node.state.lock().unwrap();
            state.bound == BTreeSet::from([epoch]) && state.publishing == epoch
        })
    }

    fn exchanges(&self, plan: TopologyPlan) -> impl Iterator<Item = String> {
        (0..plan.partitions).map(move |partition| self.cluster.partition(plan.epoch, partition))
    }

    fn unbind(&self, node: &Node, epoch: u32, partitions: u16) {
        for partition in 0..partitions {
            self.broker.unbind(&node.queue(), &self.cluster.partition(epoch, partition));
        }
    }

    /// The next thing that a node does towards its order, and a message.
    fn tick(&self, node: &Node) {
        self.publish(node);
        let mut state = node.state.lock().unwrap();
        state.underway.clear();
        let unbound = state.ordered.listen.iter().filter(|plan| !state.bound.contains(&plan.epoch)).copied();
        let there = unbound.filter(|plan| self.exchanges(*plan).all(|name| self.broker.has(&name)));
        if let Some(plan) = there.max_by_key(|plan| plan.epoch == state.ordered.publish) {
            self.exchanges(plan).for_each(|name| self.broker.bind(&node.queue(), &name));
            self.broker.bind(&node.queue(), &self.cluster.control());
            state.bound.insert(plan.epoch);
        } else if let Some(epoch) = state.unneeded() {
            state.bound.remove(&epoch);
            self.unbind(node, epoch, 256);
        }
        state.switch();
    }

    fn publish(&self, from: &Node) {
        let nodes = self.nodes.lock().unwrap().clone();
        let epoch = {
            let mut state = from.state.lock().unwrap();
            let epoch = state.publishing;
            if !state.bound.contains(&epoch) {
                return;
            }
            state.underway.insert(epoch);
            epoch
        };
        self.published.fetch_add(1, Ordering::SeqCst);
        let missed = nodes.iter().filter(|node| {
            let state = node.state.lock().unwrap();
            state.joined && !state.bound.contains(&epoch)
        });
        self.missed.fetch_add(missed.count(), Ordering::SeqCst);
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.nodes.lock().unwrap().iter().for_each(|node| node.stop());
    }
}

impl Node {
    /// Nothing answers any more.
    pub fn stop(&self) {
        self.tasks.lock().unwrap().iter().for_each(JoinHandle::abort);
    }

    fn queue(&self) -> String {
        format!("srv.{}.00c0ffee.1", self.pod)
    }

    fn report(&self) -> Value {
        let state = self.state.lock().unwrap();
        let settled = state.underway.iter().all(|epoch| *epoch == state.publishing);
        let publishing = Some(state.publishing).filter(|epoch| settled && state.bound.contains(epoch));
        json!({
            "version": "1", "node": self.pod, "serverId": 1, "state": "ready", "connections": 0,
            "epochs": state.bound, "publishing": publishing, "clockSkewMs": 0,
            "store": { "state": "reachable" }, "broker": { "state": "reachable" },
        })
    }
}

impl Epochs {
    fn switch(&mut self) {
        if self.bound.contains(&self.ordered.publish) {
            self.publishing = self.ordered.publish;
        }
        self.joined |= self.ordered.listen.iter().all(|plan| self.bound.contains(&plan.epoch));
    }

    fn unneeded(&self) -> Option<u32> {
        let is_unneeded = |epoch: &&u32| self.ordered.plan(**epoch).is_none() && **epoch != self.publishing;
        self.bound.iter().find(is_unneeded).copied()
    }
}

/// The admin port on an address of its own: every address that begins with 127 is this machine.
async fn listener() -> (TcpListener, IpAddr) {
    loop {
        let [second, third, fourth] = [(); 3].map(|()| fastrand::u8(1..=254));
        let address = IpAddr::V4(Ipv4Addr::new(127, second, third, fourth));
        if let Ok(listener) = TcpListener::bind((address, ADMIN_PORT)).await {
            return (listener, address);
        }
    }
}

async fn serve(listener: TcpListener, fleet: Arc<Fleet>, node: Arc<Node>) {
    let faults = Arc::clone(&fleet.faults);
    let router = Router::new()
        .route(
            REPORT_PATH,
            get(|State((_, node)): State<(Weak<Fleet>, Arc<Node>)>| async move { Json(node.report()) }),
        )
        .route(TOPOLOGY_PATH, put(order))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let faults = Arc::clone(&faults);
            async move { faults.http(Place::ChatNode, request, next).await }
        }))
        .with_state((Arc::downgrade(&fleet), node));
    drop(fleet);
    axum::serve(listener, router).await.unwrap();
}

async fn order(
    State((fleet, node)): State<(Weak<Fleet>, Arc<Node>)>,
    Json(order): Json<TopologyOrder>,
) -> Response {
    let mut state = node.state.lock().unwrap();
    if let Err(fault) = order.check_after(&state.ordered) {
        if let Some(fleet) = fleet.upgrade() {
            fleet.refused.fetch_add(1, Ordering::SeqCst);
        }
        return (StatusCode::BAD_REQUEST, Json(json!({ "detail": fault.to_string() }))).into_response();
    }
    state.ordered = order;
    state.switch();
    drop(state);
    Json(node.report()).into_response()
}

async fn work(fleet: Weak<Fleet>, node: Arc<Node>) {
    while let Some(fleet) = fleet.upgrade() {
        fleet.tick(&node);
        drop(fleet);
        tokio::time::sleep(TICK).await;
    }
}

async fn make_pod(namespace: &Namespace, cluster: &str, name: &str, address: IpAddr) {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": name, "labels": operator::resources::selector(cluster) },
        "spec": { "containers": [{ "name": "chat-node", "image": "chat-node:test" }] },
    }))
    .unwrap();
    let api = namespace.api::<Pod>();
    api.create(&PostParams::default(), &pod).await.unwrap();
    let status = json!({ "status": {
        "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
        "conditions": [{ "type": "Ready", "status": "True" }],
        "containerStatuses": [{
            "name": "chat-node", "image": "chat-node:test", "imageID": "", "ready": true, "restartCount": 0,
            "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } },
        }],
    } });
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

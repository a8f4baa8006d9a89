//! A broker's management API with exchanges and queues in memory, for faults that a real one does not have on demand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::faults::{Faults, Place};

/// `vibe:talk` in base 64.
const AUTHORIZATION: &str = "Basic dmliZTp0YWxr";
/// What the operator tries whether the broker takes anything with.
const TRIAL: &str = "vt.trial";

/// A running broker.
pub struct Broker {
    pub address: SocketAddr,
    pub state: Arc<Objects>,
    server: JoinHandle<()>,
}

/// What is in it.
#[derive(Default)]
pub struct Objects {
    exchanges: Mutex<BTreeMap<String, Value>>,
    /// Queues by the exchange that they are bound to.
    bindings: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// The node of the broker that keeps each queue.
    queues: Mutex<BTreeMap<String, String>>,
    /// Its nodes, and whether they run.
    nodes: Mutex<BTreeMap<String, bool>>,
    changes: AtomicUsize,
    lists: AtomicUsize,
    /// Objects that it gives at once, however many are asked for, if there is such a bound.
    pub page: AtomicUsize,
}

/// So few that paging is always needed.
const SMALL_PAGE: usize = 3;

impl Broker {
    pub async fn start() -> Self {
        Self::with_faults(Faults::none()).await
    }

    /// With a fault at some call.
    pub async fn with_faults(faults: Arc<Faults>) -> Self {
        let state = Arc::new(Objects { page: SMALL_PAGE.into(), ..Objects::default() });
        state.nodes.lock().unwrap().insert("rabbit@one".to_owned(), true);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/api/exchanges/{vhost}", get(list))
            .route("/api/exchanges/{vhost}/{name}", put(declare).delete(delete))
            .route("/api/exchanges/{vhost}/{name}/bindings/source", get(bindings))
            .route("/api/queues/{vhost}", get(queues))
            .route("/api/queues/{vhost}/{name}", axum::routing::delete(delete_queue))
            .route("/api/nodes", get(nodes))
            .layer(middleware::from_fn(authorize))
            .layer(middleware::from_fn(move |request: Request, next: Next| {
                let faults = Arc::clone(&faults);
                async move { faults.http(Place::Broker, request, next).await }
            }))
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state, server }
    }

    /// Names of all exchanges.
    pub fn names(&self) -> Vec<String> {
        self.state.names()
    }

    /// Number of changes asked for so far.
    pub fn changes(&self) -> usize {
        self.state.changes.load(Ordering::SeqCst)
    }

    /// Number of times that the exchanges were listed.
    pub fn lists(&self) -> usize {
        self.state.lists.load(Ordering::SeqCst)
    }

    /// Makes an exchange behind the operator's back.
    pub fn make(&self, name: &str, kind: &str) {
        self.state.exchanges.lock().unwrap().insert(name.to_owned(), exchange(name, kind));
    }

    /// Deletes an exchange behind the operator's back.
    pub fn drop_exchange(&self, name: &str) {
        self.state.exchanges.lock().unwrap().remove(name).unwrap();
    }

    /// From now on nothing answers at its address.
    pub async fn stop(self) {
        self.server.abort();
        let _ = self.server.await;
    }
}

impl Objects {
    pub fn names(&self) -> Vec<String> {
        self.exchanges.lock().unwrap().keys().cloned().collect()
    }

    pub fn has(&self, exchange: &str) -> bool {
        self.exchanges.lock().unwrap().contains_key(exchange)
    }

    /// Makes a queue on a node of the broker.
    pub fn make_queue(&self, queue: &str, node: &str) {
        self.queues.lock().unwrap().insert(queue.to_owned(), node.to_owned());
    }

    /// Names of all queues.
    pub fn queues(&self) -> Vec<String> {
        self.queues.lock().unwrap().keys().cloned().collect()
    }

    pub fn bind(&self, queue: &str, exchange: &str) {
        self.bindings.lock().unwrap().entry(exchange.to_owned()).or_default().insert(queue.to_owned());
    }

    pub fn unbind(&self, queue: &str, exchange: &str) {
        if let Some(queues) = self.bindings.lock().unwrap().get_mut(exchange) {
            queues.remove(queue);
        }
    }

    /// Starts or ends a node of the broker.
    pub fn set_node(&self, name: &str, runs: bool) {
        self.nodes.lock().unwrap().insert(name.to_owned(), runs);
    }

    fn bound(&self, exchange: &str) -> BTreeSet<String> {
        self.bindings.lock().unwrap().get(exchange).cloned().unwrap_or_default()
    }
}

fn exchange(name: &str, kind: &str) -> Value {
    json!({ "name": name, "type": kind, "durable": true, "auto_delete": false, "internal": false, "arguments": {} })
}

async fn authorize(request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given == Some(AUTHORIZATION) {
        return next.run(request).await;
    }
    let complaint = json!({ "error": "not_authorized", "reason": "Login failed" });
    (StatusCode::UNAUTHORIZED, Json(complaint)).into_response()
}

async fn list(State(all): State<Arc<Objects>>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    if query["page"] == "1" {
        all.lists.fetch_add(1, Ordering::SeqCst);
    }
    let exchanges = all.exchanges.lock().unwrap();
    page(exchanges.values(), &query, all.page.load(Ordering::SeqCst))
}

async fn queues(
    State(all): State<Arc<Objects>>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let queues = all.queues.lock().unwrap();
    let queues: Vec<_> = queues.iter().map(|(name, node)| json!({ "name": name, "node": node })).collect();
    page(queues.iter(), &query, all.page.load(Ordering::SeqCst))
}

fn page<'a>(
    all: impl Iterator<Item = &'a Value>,
    query: &HashMap<String, String>,
    size: usize,
) -> Json<Value> {
    let found: Vec<_> = all.filter(|one| one["name"].as_str().unwrap().contains(&query["name"])).collect();
    let page = query["page"].parse::<usize>().unwrap();
    let items: Vec<_> = found.iter().skip((page - 1) * size).take(size).collect();
    Json(json!({ "items": items, "page": page, "page_count": found.len().div_ceil(size) }))
}

async fn nodes(State(all): State<Arc<Objects>>) -> Json<Value> {
    let nodes = all.nodes.lock().unwrap();
    let node = |(name, runs): (&String, &bool)| json!({ "name": name, "running": runs });
    Json(nodes.iter().map(node).collect())
}

async fn bindings(
    State(all): State<Arc<Objects>>,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, StatusCode> {
    if !all.has(&name) {
        return Err(StatusCode::NOT_FOUND);
    }
    let binding = |queue: String| json!({ "destination": queue, "destination_type": "queue" });
    Ok(Json(all.bound(&name).into_iter().map(binding).collect()))
}

async fn declare(
    State(all): State<Arc<Objects>>,
    Path((vhost, name)): Path<(String, String)>,
    Json(wanted): Json<Value>,
) -> Response {
    assert_eq!(vhost, "/");
    if !name.starts_with(TRIAL) {
        all.changes.fetch_add(1, Ordering::SeqCst);
    }
    let mut by_name = all.exchanges.lock().unwrap();
    match by_name.get(&name) {
        Some(live) if live["type"] != wanted["type"] => {
            let reason = format!("inequivalent arg 'type' for exchange '{name}'");
            (StatusCode::BAD_REQUEST, Json(json!({ "error": "bad_request", "reason": reason })))
                .into_response()
        }
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => {
            by_name.insert(name, wanted);
            StatusCode::CREATED.into_response()
        }
    }
}

async fn delete(
    State(all): State<Arc<Objects>>,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if !name.starts_with(TRIAL) {
        all.changes.fetch_add(1, Ordering::SeqCst);
    }
    if query.contains_key("if-unused") && !all.bound(&name).is_empty() {
        let reason = format!("exchange '{name}' in vhost '/' in use");
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "bad_request", "reason": reason })))
            .into_response();
    }
    all.bindings.lock().unwrap().remove(&name);
    match all.exchanges.lock().unwrap().remove(&name) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn delete_queue(
    State(all): State<Arc<Objects>>,
    Path((_, name)): Path<(String, String)>,
) -> StatusCode {
    for queues in all.bindings.lock().unwrap().values_mut() {
        queues.remove(&name);
    }
    match all.queues.lock().unwrap().remove(&name) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

//! A broker's management API with exchanges in memory, for faults that a real one does not have on demand.

use std::collections::{BTreeMap, HashMap};
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

/// `vibe:talk` in base 64.
const AUTHORIZATION: &str = "Basic dmliZTp0YWxr";

/// A running broker.
pub struct Broker {
    pub address: SocketAddr,
    exchanges: Exchanges,
    server: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Exchanges {
    by_name: Arc<Mutex<BTreeMap<String, Value>>>,
    changes: Arc<AtomicUsize>,
}

impl Broker {
    pub async fn start() -> Self {
        let exchanges = Exchanges::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/api/exchanges/{vhost}", get(list))
            .route("/api/exchanges/{vhost}/{name}", put(declare).delete(delete))
            .layer(middleware::from_fn(authorize))
            .with_state(exchanges.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, exchanges, server }
    }

    /// Names of all exchanges.
    pub fn names(&self) -> Vec<String> {
        self.exchanges.by_name.lock().unwrap().keys().cloned().collect()
    }

    /// Number of changes asked for so far.
    pub fn changes(&self) -> usize {
        self.exchanges.changes.load(Ordering::SeqCst)
    }

    /// Makes an exchange behind the operator's back.
    pub fn make(&self, name: &str, kind: &str) {
        self.exchanges.by_name.lock().unwrap().insert(name.to_owned(), exchange(name, kind));
    }

    /// Deletes an exchange behind the operator's back.
    pub fn drop_exchange(&self, name: &str) {
        self.exchanges.by_name.lock().unwrap().remove(name).unwrap();
    }

    /// From now on nothing answers at its address.
    pub async fn stop(self) {
        self.server.abort();
        let _ = self.server.await;
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

async fn list(State(all): State<Exchanges>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let by_name = all.by_name.lock().unwrap();
    // Three a page whatever was asked for, so that paging is always needed.
    let found: Vec<_> =
        by_name.values().filter(|one| one["name"].as_str().unwrap().contains(&query["name"])).collect();
    let (size, page) = (3, query["page"].parse::<usize>().unwrap());
    let items: Vec<_> = found.iter().skip((page - 1) * size).take(size).collect();
    Json(json!({ "items": items, "page": page, "page_count": found.len().div_ceil(size) }))
}

async fn declare(
    State(all): State<Exchanges>,
    Path((vhost, name)): Path<(String, String)>,
    Json(wanted): Json<Value>,
) -> Response {
    assert_eq!(vhost, "/");
    all.changes.fetch_add(1, Ordering::SeqCst);
    let mut by_name = all.by_name.lock().unwrap();
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

async fn delete(State(all): State<Exchanges>, Path((_, name)): Path<(String, String)>) -> StatusCode {
    all.changes.fetch_add(1, Ordering::SeqCst);
    match all.by_name.lock().unwrap().remove(&name) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

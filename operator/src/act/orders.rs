//! Tells chat nodes which epochs to use, many at once. A node takes the same order as often as it is told.

use std::net::SocketAddr;
use std::time::Duration;

use crds::node::ADMIN_PORT;
use crds::topology::TOPOLOGY_PATH;
use futures::StreamExt;
use futures::stream;
use serde::Deserialize;

use crate::plan::NodeOrder;
use crate::reconcile::Context;

/// Deadline of one order; a busy node is told again at the next visit.
const DEADLINE: Duration = Duration::from_secs(2);
/// Orders under way at once.
const AT_ONCE: usize = 32;
/// A refusal is a few hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// An order that a chat node did not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chat node {pod} did not take the order of its epochs: {problem}")]
pub struct OrderFailure {
    /// Name of the pod.
    pub pod: String,
    /// Its words, or what happened.
    pub problem: String,
}

#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

/// Gives every order; the first failure in the order of the pods' names, if there is one.
pub(super) async fn act(ctx: &Context, orders: &[NodeOrder]) -> Option<OrderFailure> {
    let told: Vec<_> = orders.iter().cloned().map(|order| tell(ctx, order)).collect();
    let failures: Vec<_> =
        stream::iter(told).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    failures.into_iter().min_by(|a, b| a.pod.cmp(&b.pod))
}

async fn tell(ctx: &Context, order: NodeOrder) -> Option<OrderFailure> {
    tracing::info!(pod = order.pod, order = ?order.order, "ordering the epochs");
    let problem = put(ctx, &order).await.err()?;
    Some(OrderFailure { pod: order.pod, problem })
}

async fn put(ctx: &Context, order: &NodeOrder) -> Result<(), String> {
    let url = format!("http://{}{TOPOLOGY_PATH}", SocketAddr::new(order.address, ADMIN_PORT));
    let request = ctx.http.put(url).json(&order.order).timeout(DEADLINE);
    let response = request.send().await.map_err(|error| crate::http::explain(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let body = crate::http::body(response, MAX_ANSWER_BYTES).await?;
    let detail = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.detail);
    Err(format!("{status}: {}", detail.unwrap_or_default()))
}

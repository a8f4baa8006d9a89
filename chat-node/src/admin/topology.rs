//! The order of epochs: what the operator wants the node to listen and to publish to.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use crds::{NodeReport, TopologyOrder};

use super::status::Status;
use crate::error::{ErrorCode, Problem};
use crate::http::extract::JsonBody;

/// Longest order in bytes.
pub const ORDER_BYTES_MAX: usize = 16 * 1024;
/// When to ask a node again that is still starting.
const STARTING_RETRY: Duration = Duration::from_secs(2);

/// Takes an order and answers with the report; the same order again changes nothing. The report says `epochs` and
/// `publishing` as ordered once that is so: ask until then.
pub(super) async fn take(
    State(status): State<Arc<Status>>,
    JsonBody(order): JsonBody<TopologyOrder>,
) -> Result<Json<NodeReport>, Problem> {
    let Some(bus) = status.bus() else {
        let message = "the node is starting; it will begin with the topology in its configuration";
        return Err(Problem::retry(ErrorCode::Unavailable, message, STARTING_RETRY));
    };
    tracing::info!(?order, "the epochs to use are ordered");
    bus.order(order).map_err(|fault| {
        Problem::new(ErrorCode::Malformed, format!("the order is refused, nothing changes: {fault}"))
    })?;
    Ok(Json(status.report()))
}

//! Where clients come in. [`driver`] turns a [`Transport`] and a [`Session`](crate::session::Session) into a
//! connection; [`websocket`], [`long_poll`] and [`event_stream`] are the transports that there are.

mod attachment;
mod batch;
pub mod driver;
pub mod event_stream;
pub mod long_poll;
mod place;
mod request;
mod sign_in;
pub mod transport;
mod turns;
pub mod websocket;
mod work;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;

pub use self::attachment::Lingering;
use self::driver::Entered;
pub use self::sign_in::Written;
pub use self::transport::{Incoming, Transport};
pub use self::turns::Turns;
use crate::auth::Tokens;
use crate::bus::Bus;
use crate::channels::Channels;
use crate::clock::Clock;
use crate::error::{ErrorCode, Problem};
use crate::http::rate::Rates;
use crate::hub::Hub;
use crate::hub::connections::NoRoom;
use crate::hub::send_queue::send_queue;
use crate::ids::lease::Ids;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::presence::Presence;
use crate::store::Store;

/// What connections work with.
#[derive(Debug)]
pub struct Gateway {
    /// Who a token belongs to.
    pub tokens: Arc<Tokens>,
    /// What a client can do.
    pub channels: Arc<Channels>,
    /// Where users are written down.
    pub store: Arc<dyn Store>,
    /// Who hears what.
    pub hub: Arc<Hub>,
    /// Where to hear of users from.
    pub bus: Arc<dyn Bus>,
    /// The node's server id.
    pub ids: Ids,
    /// The calendar that tokens expire by.
    pub clock: Arc<dyn Clock>,
    /// Every bound.
    pub limits: Arc<Limits>,
    /// How much one client may ask.
    pub rates: Arc<Rates>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who is here, on any node.
    pub presence: Arc<Presence>,
    /// Users between two polls.
    pub lingering: Lingering,
    /// Users who are written down.
    pub written: Written,
    /// Whose turn it is to be signed in.
    pub turns: Turns,
    /// Every connection, so that the node can wait for them.
    pub tracker: TaskTracker,
    /// Cancelled when the node takes no new connections any more.
    pub closing: CancellationToken,
}

/// How long a client waits that finds no room.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two looks for users who do not poll any more.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Every route of every transport.
pub fn router(gateway: &Arc<Gateway>) -> OpenApiRouter {
    OpenApiRouter::from(websocket::router(Arc::clone(gateway)))
        .merge(long_poll::router(Arc::clone(gateway)))
        .merge(event_stream::router(Arc::clone(gateway)))
}

/// Ends what users who polled have left behind, for ever.
pub async fn keep_sweeping(gateway: std::sync::Weak<Gateway>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(gateway) = gateway.upgrade() else { return };
        gateway.lingering.sweep();
    }
}

impl Gateway {
    /// Lets a connection in that at most `queue_bytes` may wait for, from an address that it is counted under.
    ///
    /// # Errors
    /// [`ErrorCode::NodeFull`], [`ErrorCode::TooManyConnections`].
    pub fn enter(&self, address: Option<IpAddr>, queue_bytes: usize) -> Result<Entered, Problem> {
        let refused = |code, message: &str| Problem::retry(code, message, AGAIN);
        // Nor can it number what a client sends; other nodes may well have the store.
        let Some(server_id) = self.ids.server_id() else {
            return Err(refused(ErrorCode::NodeFull, "this node is cut off from the store; try again"));
        };
        let (queue, reader) = send_queue(queue_bytes);
        let entered = self.hub.connections.enter(&queue, address);
        let (connection, orders) = entered.map_err(|no_room| match no_room {
            NoRoom::Node => refused(ErrorCode::NodeFull, "this node takes no more connections"),
            NoRoom::Address => refused(
                ErrorCode::TooManyConnections,
                "this node takes no more connections from your address",
            ),
        })?;
        // Only now: who enters before the node closes is told to go, and who enters after that is let go here.
        if self.closing.is_cancelled() {
            self.hub.connections.remove(connection);
            return Err(refused(ErrorCode::NodeFull, "this node is going away; try again"));
        }
        Ok(Entered { connection, server_id, orders, queue, reader })
    }
}

//! Where clients come in. [`driver`] turns a [`Transport`] and a [`Session`](crate::session::Session) into a
//! connection; [`websocket`] is the transport that there is.

pub mod driver;
mod presence;
pub mod transport;
pub mod websocket;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::transport::{Incoming, Transport};
use crate::auth::Tokens;
use crate::bus::Bus;
use crate::channels::Channels;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::ids::lease::Ids;
use crate::limits::Limits;
use crate::metrics::Metrics;
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
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Every connection, so that the node can wait for them.
    pub tracker: TaskTracker,
    /// Cancelled when the node takes no new connections any more.
    pub closing: CancellationToken,
}

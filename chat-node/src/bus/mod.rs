//! How nodes tell each other what they have stored. The bus is an accelerator: what it loses, the receivers find in
//! the store a little later, so a publish is never repeated.

pub mod envelope;
mod following;
pub mod in_process;
pub mod partition;
pub mod rabbitmq;
pub mod routing;
mod standing;
mod wanted;

use std::fmt::Debug;

use async_trait::async_trait;
use crds::node::Dependency;
use crds::topology::TopologyFault;
use crds::{RoutingMode, TopologyOrder};

pub use self::envelope::{Envelope, Notice};
pub use self::following::Following;
pub use self::routing::{Topic, USER_ROUTING_MEMBERS_MAX};
pub use self::standing::Standing;
use crate::ids::{ChannelId, UserId};

/// Received envelopes that may wait for the node.
pub const RECEIVED_MAX: usize = 8_192;

/// For whom an envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// Every node.
    Everyone,
    /// The nodes where these users are.
    Users(&'a [UserId]),
    /// The nodes where somebody follows this channel.
    Channel {
        /// The channel.
        id: ChannelId,
        /// Who may be following it; looked at only if [`Bus::routing`] is [`RoutingMode::User`]. With more than
        /// [`USER_ROUTING_MEMBERS_MAX`] the envelope goes to every node, so one more than that is enough.
        members: &'a [UserId],
    },
}

/// What comes out of a bus.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all that comes are envelopes")]
pub enum Received {
    /// A node has something to tell.
    Envelope(Envelope),
    /// What is addressed to these arrives from now on; anything before may have been missed.
    Listening(Vec<Topic>),
    /// A connection to the broker stands; anything before may have been missed.
    Connected,
}

/// The way to the other nodes. What it receives comes out of the queue that its constructor gave.
#[async_trait]
pub trait Bus: Debug + Send + Sync {
    /// Hands an envelope to every node that has somebody for it, perhaps this one too, perhaps more than once. Never
    /// waits: what cannot be handed over is counted and dropped.
    fn publish(&self, envelope: &Envelope, audience: Audience<'_>);

    /// Asks for what is addressed to `user`, once per connection. The first one holds at once, or when
    /// [`Received::Listening`] says so.
    fn attach(&self, user: &UserId);

    /// Takes one [`Bus::attach`] back.
    fn detach(&self, user: &UserId);

    /// Asks for what happens in `channel`. The first one holds at once, or when [`Received::Listening`] says so.
    fn follow(&self, channel: ChannelId);

    /// Takes one [`Bus::follow`] back. Envelopes may come for a minute more: channels are often followed again.
    fn unfollow(&self, channel: ChannelId);

    /// What envelopes are routed by at the moment.
    fn routing(&self) -> RoutingMode;

    /// Whether the broker answers, and nothing is known to be missed.
    fn health(&self) -> Dependency;

    /// Epochs whose exchanges this node listens to.
    fn epochs(&self) -> Vec<u32>;

    /// The epoch that this node publishes to; `None`: some of what it published is still on its way to another one,
    /// or the broker is away.
    fn publishing(&self) -> Option<u32>;

    /// Takes the epochs to listen and to publish to; [`Bus::epochs`] and [`Bus::publishing`] tell when it is so.
    ///
    /// # Errors
    /// [`TopologyFault`]: nothing changes.
    fn order(&self, order: TopologyOrder) -> Result<(), TopologyFault>;

    /// Waits until what was published is confirmed and nothing is bound any more, at most some seconds. Nothing goes
    /// in or out afterwards.
    async fn leave(&self);
}

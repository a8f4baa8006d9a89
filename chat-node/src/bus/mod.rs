//! How nodes tell each other what they have stored. The bus is an accelerator: what it loses, the receivers find in
//! the store a little later, so a publish is never repeated.

pub mod envelope;
pub mod in_process;
pub mod partition;
pub mod rabbitmq;
mod wanted;

use std::fmt::Debug;

use crds::node::Dependency;

pub use self::envelope::{Audience, Envelope, Notice};
use crate::ids::UserId;

/// Received envelopes that may wait for the node.
pub const RECEIVED_MAX: usize = 8_192;

/// What comes out of a bus.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// A node has something to tell.
    Envelope(Envelope),
    /// What is addressed to these users arrives from now on; anything before may have been missed.
    Attached(Vec<UserId>),
    /// A connection to the broker stands; anything before may have been missed.
    Connected,
}

/// The way to the other nodes. What it receives comes out of the queue that its constructor gave.
pub trait Bus: Debug + Send + Sync {
    /// Hands an envelope to every node that has somebody for it, perhaps this one too. Never waits: what cannot be
    /// handed over is counted and dropped.
    fn publish(&self, envelope: &Envelope);

    /// Asks for what is addressed to `user`, once per connection; [`Received::Attached`] follows when it holds.
    fn attach(&self, user: &UserId);

    /// Takes one [`Bus::attach`] back.
    fn detach(&self, user: &UserId);

    /// Whether the broker answers.
    fn health(&self) -> Dependency;

    /// Epochs whose exchanges this node listens to.
    fn epochs(&self) -> Vec<u32>;
}

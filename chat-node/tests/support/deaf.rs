//! A bus whose broker is away for ever.

use async_trait::async_trait;
use chat_node::bus::{Audience, Bus, Envelope, Received};
use chat_node::ids::{ChannelId, UserId};
use crds::node::Dependency;
use crds::topology::TopologyFault;
use crds::{RoutingMode, TopologyOrder};
use tokio::sync::mpsc;

#[derive(Debug)]
pub struct Deaf {
    // The node's receiver waits as long as this is there.
    _received: mpsc::Sender<Received>,
}

impl Deaf {
    pub fn new() -> (Self, mpsc::Receiver<Received>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self { _received: sender }, receiver)
    }
}

#[async_trait]
impl Bus for Deaf {
    fn publish(&self, _: &Envelope, _: Audience<'_>) {}

    fn attach(&self, _: &UserId) {}

    fn detach(&self, _: &UserId) {}

    fn follow(&self, _: ChannelId) {}

    fn unfollow(&self, _: ChannelId) {}

    fn routing(&self) -> RoutingMode {
        RoutingMode::User
    }

    fn health(&self) -> Dependency {
        Dependency::Unreachable { reason: "it is a test".to_owned() }
    }

    fn epochs(&self) -> Vec<u32> {
        Vec::new()
    }

    fn publishing(&self) -> Option<u32> {
        None
    }

    fn order(&self, order: TopologyOrder) -> Result<(), TopologyFault> {
        order.check().map(drop)
    }

    async fn leave(&self) {}
}

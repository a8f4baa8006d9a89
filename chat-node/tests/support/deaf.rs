//! A bus whose broker is away for ever.

use chat_node::bus::{Bus, Envelope, Received};
use chat_node::ids::UserId;
use crds::node::Dependency;
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

impl Bus for Deaf {
    fn publish(&self, _: &Envelope) {}

    fn attach(&self, _: &UserId) {}

    fn detach(&self, _: &UserId) {}

    fn health(&self) -> Dependency {
        Dependency::Unreachable { reason: "it is a test".to_owned() }
    }

    fn epochs(&self) -> Vec<u32> {
        Vec::new()
    }
}

//! That a node wants to hear what happens in a channel, as long as it holds this.

use std::sync::Arc;

use super::Bus;
use crate::ids::ChannelId;

/// Keeps a bus following a channel; takes it back when dropped.
#[derive(Debug)]
pub struct Following {
    bus: Arc<dyn Bus>,
    channel: ChannelId,
}

impl Following {
    /// Follows from now on.
    pub fn new(bus: &Arc<dyn Bus>, channel: ChannelId) -> Self {
        bus.follow(channel);
        Self { bus: Arc::clone(bus), channel }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.bus.unfollow(self.channel);
    }
}

//! That a connection is there, as the rest of the node knows it; taken back when dropped, however the connection
//! ended.

use std::sync::Arc;

use super::Gateway;
use crate::hub::connections::{ConnectionId, TooManyConnections};
use crate::ids::{ChannelId, UserId};
use crate::protocol::message::User;

/// One connection's entries in hub and bus.
pub(super) struct Presence {
    gateway: Arc<Gateway>,
    pub connection: ConnectionId,
    user: Option<UserId>,
    following: Vec<ChannelId>,
}

impl Presence {
    pub fn new(gateway: Arc<Gateway>, connection: ConnectionId) -> Self {
        gateway.metrics.connections.inc();
        Self { gateway, connection, user: None, following: Vec::new() }
    }

    /// Says whose the connection is, and listens for what is addressed to that user.
    pub fn sign_in(&mut self, user: &User) -> Result<(), TooManyConnections> {
        self.gateway.hub.connections.sign_in(self.connection, &user.id)?;
        self.gateway.bus.attach(&user.id);
        self.user = Some(user.id.clone());
        Ok(())
    }

    /// Notes that the connection follows a channel, or is about to.
    pub fn follows(&mut self, channel: ChannelId) {
        self.following.push(channel);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.gateway.hub.connections.remove(self.connection);
        self.gateway.hub.leave(self.connection, &self.following);
        if let Some(user) = &self.user {
            self.gateway.bus.detach(user);
        }
        self.gateway.metrics.connections.dec();
    }
}

//! That a connection is there, as the rest of the node knows it; taken back when dropped, however the connection
//! ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Gateway;
use super::attachment::Attachment;
use crate::hub::connections::{ConnectionId, TooManyConnections};
use crate::ids::{ChannelId, ChannelSet, Position, UserId};
use crate::metrics::Transport;
use crate::session::Form;

/// One connection's entries in hub, bus and presence.
pub(super) struct Place {
    gateway: Arc<Gateway>,
    pub connection: ConnectionId,
    form: Form,
    attachment: Option<Attachment>,
    following: ChannelSet,
    /// Those of `following` whose events have not been queued up to the room's last one yet.
    joining: ChannelSet,
}

impl Place {
    pub fn new(gateway: Arc<Gateway>, connection: ConnectionId, form: Form) -> Self {
        gateway.metrics.connections(transport(form)).inc();
        let (following, joining) = (ChannelSet::default(), ChannelSet::default());
        Self { gateway, connection, form, attachment: None, following, joining }
    }

    /// Says whose the connection is, and listens for what is addressed to that user.
    pub fn sign_in(&mut self, user: &UserId) -> Result<(), TooManyConnections> {
        self.gateway.hub.connections.sign_in(self.connection, user)?;
        self.attachment = Some(self.gateway.attach(user));
        Ok(())
    }

    /// Notes that the connection follows a channel, or is about to.
    pub fn follows(&mut self, channel: ChannelId) {
        if self.following.insert(channel) {
            self.joining.insert(channel);
        }
    }

    /// Notes that a channel's events have been queued as far as there are any, and will be.
    pub fn joined(&mut self, channel: ChannelId) {
        self.joining.remove(channel);
    }

    /// Ends the following of a channel.
    pub fn leaves(&mut self, channel: ChannelId) {
        self.following.remove(channel);
        self.joining.remove(channel);
        self.gateway.hub.leave(self.connection, [&channel]);
    }

    /// How far the channels are whose events have been queued: up to here, before anything that is queued from now on.
    pub fn heads(&self) -> BTreeMap<ChannelId, Position> {
        let head = |id: &ChannelId| self.gateway.hub.room(*id).map(|room| (*id, room.last()));
        let joined = self.following.iter().filter(|id| !self.joining.contains(**id));
        joined.filter_map(head).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gateway.hub.connections.remove(self.connection);
        self.gateway.hub.leave(self.connection, &self.following);
        self.gateway.presence.unwatch(self.connection);
        if let (Some(attachment), Form::Poll(_)) = (self.attachment.take(), self.form) {
            self.gateway.lingering.keep(attachment);
        }
        self.gateway.metrics.connections(transport(self.form)).dec();
    }
}

fn transport(form: Form) -> Transport {
    match form {
        Form::Dialogue => Transport::WebSocket,
        Form::Stream => Transport::EventStream,
        Form::Poll(_) => Transport::Poll,
    }
}

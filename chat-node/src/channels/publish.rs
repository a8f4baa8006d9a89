//! What this node has stored: to its own followers at once, and over the bus to those of other nodes.

use std::sync::Weak;

use async_trait::async_trait;
use crds::RoutingMode;

use super::log::{AppendError, Draft, Guard};
use super::{Channels, send};
use crate::bus::{Audience, Envelope, Notice};
use crate::ids::{AccessVersion, ChannelId, GroupId};
use crate::protocol::message::Entry;
use crate::store::{ChannelKind, StoreError};

/// The channels behind the log that they stand on.
pub(super) struct Behind(pub Weak<Channels>);

#[async_trait]
impl Guard for Behind {
    async fn check(
        &self,
        channel: ChannelId,
        drafts: &[&Draft],
        access: AccessVersion,
    ) -> Vec<Result<(), AppendError>> {
        match self.0.upgrade() {
            Some(channels) => send::check_again(&channels, (channel, access), drafts).await,
            None => {
                let ended = StoreError::Unavailable("the node has ended".to_owned());
                vec![Err(AppendError::Store(ended)); drafts.len()]
            }
        }
    }

    fn stored(&self, entries: Vec<Entry>) {
        if let Some(channels) = self.0.upgrade() {
            for entry in entries {
                channels.publish(&entry);
                channels.receive_entry(entry);
            }
        }
    }
}

impl Channels {
    fn publish(&self, entry: &Entry) {
        if matches!(entry, Entry::Void { .. }) {
            return;
        }
        // Whoever appended has just asked for the kind, so it is known.
        let id = entry.channel();
        let Some(kind) = self.views.known_kind(id) else { return };
        let users = match &kind {
            ChannelKind::Direct(users) => Some(users.clone()),
            ChannelKind::Group(_) => None,
        };
        self.publish_to(id, kind, &Envelope::new(Notice::entry(entry.clone(), users)));
    }

    /// Tells every node where somebody may follow a channel.
    pub(super) fn publish_to(&self, id: ChannelId, kind: ChannelKind, envelope: &Envelope) {
        let group = match kind {
            ChannelKind::Direct(users) => {
                return self.bus.publish(envelope, Audience::Channel { id, members: &users });
            }
            ChannelKind::Group(GroupId::OFFICIAL) => return self.bus.publish(envelope, Audience::Everyone),
            ChannelKind::Group(group) => group,
        };
        if !self.routes_by_user() {
            return self.bus.publish(envelope, Audience::Channel { id, members: &[] });
        }
        match self.views.known_members(group) {
            Some(members) => self.bus.publish(envelope, Audience::Channel { id, members: &members }),
            None => self.bus.publish(envelope, Audience::Everyone),
        }
    }

    /// Whether envelopes go to each member.
    pub(super) fn routes_by_user(&self) -> bool {
        self.bus.routing() == RoutingMode::User
    }
}

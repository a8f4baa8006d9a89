//! A group as one node knows it, at one version; the members' roles are beside it.

use std::collections::BTreeMap;

use crate::groups::{Group, Override, Permissions, Role};
use crate::ids::{AccessVersion, ChannelId, UserId};
use crate::protocol::message::ChannelSettings;
use crate::store::Channel;

/// A group with its channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The group.
    pub group: Group,
    /// Its channels.
    pub channels: BTreeMap<ChannelId, ChannelRules>,
}

/// What a group's channel shows of itself, and who may do what in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRules {
    /// What it shows.
    pub settings: ChannelSettings,
    /// What members may do here beyond or below their roles.
    pub overrides: Vec<Override>,
}

impl View {
    /// A group and its channels, which were read after it: so they are at least as new as its version says.
    pub fn new(group: Group, channels: Vec<Channel>) -> Self {
        let rules = |channel: Channel| {
            let Channel { id, settings, overrides, .. } = channel;
            (id, ChannelRules { settings, overrides })
        };
        Self { group, channels: channels.into_iter().map(rules).collect() }
    }

    /// The group's version that this is at least as new as.
    pub fn version(&self) -> AccessVersion {
        self.group.version
    }

    /// What a user with this row, or without one, may do in a channel; nothing where there is no such channel.
    pub fn permissions(&self, channel: ChannelId, user: &UserId, row: Option<Role>) -> Permissions {
        let role = self.group.role(user, row);
        self.channels
            .get(&channel)
            .map_or(Permissions::NONE, |rules| Permissions::of(user, role, &rules.overrides))
    }

    /// The channels that a user with this row, or without one, may read.
    pub fn readable(&self, user: &UserId, row: Option<Role>) -> impl Iterator<Item = ChannelId> {
        self.channels.keys().copied().filter(move |channel| self.permissions(*channel, user, row).read)
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let of_channel = |rules: &ChannelRules| {
            128 + rules.settings.name.len() + rules.settings.topic.len() + 96 * rules.overrides.len()
        };
        let settings = &self.group.settings;
        256 + settings.name.len()
            + settings.topic.len()
            + 48 * self.group.changes.len()
            + self.channels.values().map(of_channel).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::{GroupKind, GroupSettings};
    use crate::ids::{GroupId, Revision};

    #[test]
    fn a_channel_that_is_not_there_gives_nothing_even_to_the_owner() {
        let ada: UserId = "ada".parse().unwrap();
        let group = Group {
            id: GroupId(9),
            kind: GroupKind::Private { owner: ada.clone() },
            settings: GroupSettings::default(),
            appointed: Vec::new(),
            revision: Revision::default(),
            version: AccessVersion(1),
            changes: Vec::new(),
        };
        let rules = ChannelRules { settings: ChannelSettings::default(), overrides: Vec::new() };
        let view = View { group, channels: BTreeMap::from([(ChannelId(7), rules)]) };
        assert_eq!(view.permissions(ChannelId(7), &ada, None), Permissions::ALL);
        assert_eq!(view.permissions(ChannelId(8), &ada, None), Permissions::NONE);
        let bob: UserId = "bob".parse().unwrap();
        assert_eq!(view.readable(&bob, Some(Role::Member)).collect::<Vec<_>>(), [ChannelId(7)]);
        assert_eq!(view.readable(&bob, None).count(), 0);
    }
}

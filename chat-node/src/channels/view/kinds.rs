//! Whose channels are. That never changes, so it is remembered as long as there is room, and forgetting is only a
//! read more.

use std::collections::HashMap;

use crate::ids::{ChannelId, GroupId};
use crate::store::ChannelKind;

/// The most channels that are remembered.
const MAX: usize = 65_536;

#[derive(Debug)]
pub(super) struct Kinds(HashMap<ChannelId, ChannelKind>);

impl Default for Kinds {
    fn default() -> Self {
        Self(HashMap::from([(ChannelId::OFFICIAL, ChannelKind::Group(GroupId::OFFICIAL))]))
    }
}

impl Kinds {
    pub fn get(&self, channel: ChannelId) -> Option<ChannelKind> {
        self.0.get(&channel).cloned()
    }

    pub fn note(&mut self, channel: ChannelId, kind: &ChannelKind) {
        if self.0.len() >= MAX {
            self.0.retain(|id, _| *id == ChannelId::OFFICIAL);
        }
        self.0.insert(channel, kind.clone());
    }
}

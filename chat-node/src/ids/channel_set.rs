//! A set of channels.

use super::ChannelId;

/// Some channels, in order. Most such sets hold a few, and there are several for each connection: a tree or a table would
/// take more room for itself than for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSet(Vec<ChannelId>);

impl ChannelSet {
    /// Adds a channel; `false`: it is there already.
    pub fn insert(&mut self, channel: ChannelId) -> bool {
        let Err(place) = self.0.binary_search(&channel) else { return false };
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact((self.0.len() / 4).max(1));
        }
        self.0.insert(place, channel);
        true
    }

    /// Takes a channel out; `false`: it is not there.
    pub fn remove(&mut self, channel: ChannelId) -> bool {
        let Ok(place) = self.0.binary_search(&channel) else { return false };
        self.0.remove(place);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        true
    }

    /// Whether a channel is there.
    pub fn contains(&self, channel: ChannelId) -> bool {
        self.0.binary_search(&channel).is_ok()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, ChannelId> {
        self.0.iter()
    }
}

impl FromIterator<ChannelId> for ChannelSet {
    fn from_iter<I: IntoIterator<Item = ChannelId>>(channels: I) -> Self {
        let mut channels: Vec<_> = channels.into_iter().collect();
        channels.sort_unstable();
        channels.dedup();
        channels.shrink_to_fit();
        Self(channels)
    }
}

impl<'a> IntoIterator for &'a ChannelSet {
    type Item = &'a ChannelId;
    type IntoIter = std::slice::Iter<'a, ChannelId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_in_and_not_taken_out_is_there_once(
            first in prop::collection::vec(0_u64..20, 0..10),
            steps in prop::collection::vec((any::<bool>(), 0_u64..20), 0..60),
        ) {
            let mut model: BTreeSet<_> = first.iter().copied().map(ChannelId).collect();
            let mut set: ChannelSet = first.into_iter().map(ChannelId).collect();
            for (inserts, channel) in steps {
                let channel = ChannelId(channel);
                if inserts {
                    prop_assert_eq!(set.insert(channel), model.insert(channel));
                } else {
                    prop_assert_eq!(set.remove(channel), model.remove(&channel));
                }
                prop_assert_eq!(set.contains(channel), inserts);
                prop_assert!(set.iter().eq(&model));
                prop_assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
            }
        }
    }
}

//! What must not happen any more once it was answered that somebody is put out of a group, or silenced in it.

use std::collections::BTreeMap;

use chat_node::ids::{ChannelId, GroupId, UserId};

/// What is left to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub reads: bool,
    pub sends: bool,
}

#[derive(Debug, Default)]
pub struct Claims(BTreeMap<(GroupId, UserId), Claim>);

#[derive(Debug)]
struct Claim {
    left: Left,
    /// How far each channel had come when it was answered.
    heads: BTreeMap<ChannelId, u64>,
}

impl Claims {
    /// From now on somebody may be let in again.
    pub fn lift(&mut self, group: GroupId, user: &UserId) {
        self.0.remove(&(group, user.clone()));
    }

    /// It was answered that a user may only do this; the group's channels had come so far.
    pub fn put(&mut self, (group, user): (GroupId, &UserId), left: Left, heads: BTreeMap<ChannelId, u64>) {
        self.0.insert((group, user.clone()), Claim { left, heads });
    }

    /// Whether `user` must not see what is at a position.
    pub fn forbid_reading(&self, user: &UserId, channel: ChannelId, position: u64) -> bool {
        self.forbid(user, (channel, position), |left| !left.reads)
    }

    /// Whether nothing of `user` may be stored at a position.
    pub fn forbid_writing(&self, user: &UserId, channel: ChannelId, position: u64) -> bool {
        self.forbid(user, (channel, position), |left| !left.sends)
    }

    fn forbid(
        &self,
        user: &UserId,
        (channel, position): (ChannelId, u64),
        without: impl Fn(Left) -> bool,
    ) -> bool {
        let mut own = self.0.iter().filter(|((_, of), claim)| of == user && without(claim.left));
        own.any(|(_, claim)| claim.heads.get(&channel).is_some_and(|head| position > *head))
    }
}

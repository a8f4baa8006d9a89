//! What must hold once it was answered that somebody is this or that in a group, or put out of it.

use std::collections::BTreeMap;

use chat_node::groups::Role;
use chat_node::ids::{ChannelId, GroupId, UserId};

/// What is left to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    reads: bool,
    sends: bool,
}

#[derive(Debug, Default)]
pub struct Claims(BTreeMap<(GroupId, UserId), Claim>);

#[derive(Debug)]
struct Claim {
    role: Option<Role>,
    left: Left,
    /// How far each channel had come when it was answered.
    heads: BTreeMap<ChannelId, u64>,
}

impl Claims {
    /// From now on somebody may be let in again.
    pub fn lift(&mut self, group: GroupId, user: &UserId) {
        self.0.remove(&(group, user.clone()));
    }

    /// It was answered that a user is this in a group, whose channels had come so far.
    pub fn put(
        &mut self,
        (group, user): (GroupId, &UserId),
        role: Option<Role>,
        heads: BTreeMap<ChannelId, u64>,
    ) {
        self.0.insert((group, user.clone()), Claim { role, left: left(group, role), heads });
    }

    /// What was answered last of each user, unless something else was asked for since.
    pub fn roles(&self) -> impl Iterator<Item = (GroupId, &UserId, Option<Role>)> {
        self.0.iter().map(|((group, user), claim)| (*group, user, claim.role))
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

/// What is left to who has this role now.
fn left(group: GroupId, role: Option<Role>) -> Left {
    match role {
        Some(Role::Muted) => Left { reads: true, sends: false },
        Some(Role::Banned) => Left { reads: false, sends: false },
        None if group != GroupId::OFFICIAL => Left { reads: false, sends: false },
        _ => Left { reads: true, sends: true },
    }
}

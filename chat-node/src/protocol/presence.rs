//! What nodes tell each other of the users who are on them. Each node numbers its changes; whoever misses one asks for
//! all.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// Names a node from its start to its end, by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeTag(pub u64);

/// Most users of one notice.
pub const USERS_PER_NOTICE: usize = 500;

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum PresenceNotice {
    /// Users have come and gone.
    Changes {
        /// Where.
        node: NodeTag,
        /// One more than that of the node's changes before; 1 is the first.
        version: u64,
        /// Who has come.
        here: Vec<UserId>,
        /// Who has gone.
        gone: Vec<UserId>,
    },
    /// Nothing has changed for a while.
    Beat {
        /// Where.
        node: NodeTag,
        /// Of the last changes; 0: there were none yet.
        version: u64,
    },
    /// Somebody wants to know all users.
    Ask {
        /// Of this node; absent: of every node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<NodeTag>,
    },
    /// All users of a node, in parts.
    Snapshot {
        /// Where.
        node: NodeTag,
        /// Of the last changes that it contains.
        version: u64,
        /// Which part this is, from 0.
        part: u32,
        /// How many there are.
        parts: u32,
        /// The users of this part.
        users: Vec<UserId>,
    },
}

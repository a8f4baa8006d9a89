//! What one node tells the others.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{AccessVersion, ChannelId, GroupId, Position, ServerId, UserId};
use crate::protocol::message::Entry;
use crate::protocol::presence::PresenceNotice;

/// The version of the form below; a node drops what it does not know.
const VERSION: u8 = 1;

/// A notice on its way between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    #[serde(rename = "v")]
    version: u8,
    /// What happened.
    #[serde(flatten)]
    pub notice: Notice,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// An entry is stored.
    Entry {
        /// The entry.
        entry: Box<Entry>,
        /// The access version that it was stored under.
        access: AccessVersion,
        /// The users of its direct channel; absent for channels of groups.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        users: Option<[UserId; 2]>,
    },
    /// A group has changed.
    GroupChanged {
        /// The group.
        group_id: GroupId,
        /// Its version now.
        version: AccessVersion,
        /// Whom it concerns; nobody named: perhaps everyone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        users: Vec<UserId>,
    },
    /// A user has read a channel.
    Read {
        /// Who.
        user: UserId,
        /// Which.
        channel_id: ChannelId,
        /// Up to here.
        position: Position,
    },
    /// Two users have a new direct channel.
    DirectOpened {
        /// The channel.
        channel_id: ChannelId,
        /// Its users.
        users: [UserId; 2],
    },
    /// A user is writing. Not stored.
    Typing {
        /// Where.
        channel_id: ChannelId,
        /// Who.
        user_id: UserId,
        /// The node that has told its own followers already.
        from: Option<ServerId>,
    },
    /// Which users are on a node.
    Presence(PresenceNotice),
    /// A node listens for its own voice.
    Probe {
        /// The queue of the node that asks.
        queue: String,
        /// The exchange that it was published to.
        exchange: String,
    },
}

impl Notice {
    /// That an entry is stored.
    pub fn entry(entry: Entry, users: Option<[UserId; 2]>) -> Self {
        let access = entry.access();
        Self::Entry { entry: Box::new(entry), access, users }
    }
}

impl Envelope {
    /// An envelope around a notice.
    pub fn new(notice: Notice) -> Self {
        Self { version: VERSION, notice }
    }

    /// The envelope as bytes.
    pub fn to_bytes(&self) -> Bytes {
        // Plain structs with string keys: there is nothing in them that JSON cannot say.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The envelope that bytes hold; `None`: none of this version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|envelope: &Self| envelope.version == VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::presence::NodeTag;

    #[test]
    fn an_envelope_survives_the_way() {
        let users = ["ada".parse().unwrap(), "bob".parse().unwrap()];
        let envelope = Envelope::new(Notice::DirectOpened { channel_id: ChannelId(9), users });
        assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Some(envelope));
    }

    #[test]
    fn ephemera_survive_the_way() {
        let users = ["ada".parse().unwrap(), "bob".parse().unwrap()];
        let from = ServerId::new(7);
        let user_id = "ada".parse().unwrap();
        let (node, here, gone) = (NodeTag(u64::MAX), Vec::from(users), Vec::new());
        for notice in [
            Notice::Typing { channel_id: ChannelId(9), user_id, from },
            Notice::Presence(PresenceNotice::Changes { node, version: 1, here, gone }),
            Notice::Presence(PresenceNotice::Ask { of: None }),
        ] {
            let envelope = Envelope::new(notice);
            assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Some(envelope));
        }
    }

    #[test]
    fn what_is_not_known_is_dropped() {
        for text in
            ["", "{}", r#"{"v":2,"kind":"probe","queue":"q","exchange":"e"}"#, r#"{"v":1,"kind":"other"}"#]
        {
            assert_eq!(Envelope::from_bytes(text.as_bytes()), None, "{text}");
        }
    }
}

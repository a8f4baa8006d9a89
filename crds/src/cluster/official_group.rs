//! The group that everyone is a member of.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Posting;

/// The group that everyone is a member of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfficialGroup {
    /// Shown name.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1, max = 100))]
    pub name: String,

    /// Shown topic.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub topic: String,

    /// Users who moderate it, by the `sub` claim of their tokens: they mute, ban, delete, and make channels. Who is taken
    /// out here is a member like the others again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.@:-]+$")))]
    pub admins: BTreeSet<String>,

    /// Who may write in the official channel: `Everyone`, or `Admins` and those whom they let write by an override of
    /// the channel. The others read. A change starts the chat nodes anew.
    #[serde(default)]
    pub posting: Posting,
}

impl Default for OfficialGroup {
    fn default() -> Self {
        Self {
            name: default_name(),
            topic: String::new(),
            admins: BTreeSet::new(),
            posting: Posting::default(),
        }
    }
}

fn default_name() -> String {
    "Official".to_owned()
}

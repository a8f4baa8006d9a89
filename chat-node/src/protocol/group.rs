//! Groups as their members see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::groups::{Group, GroupKind, Member, Role};
use crate::ids::{GroupId, UserId};

/// A group as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    /// Its id.
    pub id: GroupId,
    /// Who is in it.
    pub kind: GroupKindView,
    /// Who made it; absent for the official one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<UserId>,
    /// Shown name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// What the viewer is in it.
    pub role: Role,
}

/// Who is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupKindView {
    /// Everyone.
    Official,
    /// Its members.
    Private,
}

/// A page of a group's members, in order of user id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberPage {
    /// The members.
    pub members: Vec<Member>,
    /// What to give as `after` for the next page; `null` on the last one.
    pub next: Option<UserId>,
}

impl GroupView {
    /// A group as somebody with this role sees it.
    pub fn of(group: &Group, role: Role) -> Self {
        let (kind, owner_id) = match &group.kind {
            GroupKind::Official => (GroupKindView::Official, None),
            GroupKind::Private { owner } => (GroupKindView::Private, Some(owner.clone())),
        };
        let settings = group.settings.clone();
        Self { id: group.id, kind, owner_id, name: settings.name, topic: settings.topic, role }
    }
}

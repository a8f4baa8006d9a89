//! Groups, their members and their channels.

use std::collections::BTreeMap;
use std::ops::Bound;

use chat_node::groups::{
    CHANGES_REMEMBERED, Concerned, Group, GroupKind, GroupSettings, Member, Override, Role,
};
use chat_node::ids::{AccessVersion, ChannelId, GroupId, Revision, UserId};
use chat_node::store::{Channel, ChannelKind, RoleWrite, Seat, Written};

use super::Tables;

#[derive(Clone, Debug)]
pub struct GroupRow {
    pub group: Group,
    members: Members,
    /// Of every row that there is or was.
    revisions: BTreeMap<UserId, Revision>,
}

pub type Members = BTreeMap<UserId, Member>;

impl Tables {
    pub fn create_group(&mut self, id: GroupId, kind: &GroupKind, settings: &GroupSettings) -> Group {
        let now_ms = self.now_ms();
        let new = || {
            let group = Group {
                id,
                kind: kind.clone(),
                settings: settings.clone(),
                appointed: Vec::new(),
                revision: Revision::default(),
                version: AccessVersion(1),
                changes: vec![Concerned::Everyone],
            };
            let owner = match kind {
                GroupKind::Private { owner } => Some(owner.clone()),
                GroupKind::Official => None,
            };
            let member =
                |user: UserId| (user.clone(), Member { user_id: user, role: Role::Owner, since_ms: now_ms });
            let revisions = owner.iter().map(|owner| (owner.clone(), Revision(1))).collect();
            GroupRow { group, members: owner.map(member).into_iter().collect(), revisions }
        };
        self.groups.entry(id).or_insert_with(new).group.clone()
    }

    pub fn group(&self, id: GroupId) -> Option<Group> {
        self.groups.get(&id).map(|row| row.group.clone())
    }

    pub fn set_group_settings(&mut self, id: GroupId, settings: &GroupSettings, over: Revision) -> Written {
        self.replace((id, over), |group| settings.clone_into(&mut group.settings))
    }

    pub fn set_appointed(&mut self, id: GroupId, appointed: &[UserId], over: Revision) -> Written {
        self.replace((id, over), |group| appointed.clone_into(&mut group.appointed))
    }

    fn replace(&mut self, (id, over): (GroupId, Revision), set: impl FnOnce(&mut Group)) -> Written {
        let Some(group) = self.groups.get_mut(&id).map(|row| &mut row.group) else {
            return Written::Overtaken;
        };
        let mut replaced = Group { revision: over.next(), ..group.clone() };
        set(&mut replaced);
        if group.revision == over {
            *group = replaced.clone();
        }
        written(*group == replaced)
    }

    /// Gives a group another name, whatever it is like.
    pub(super) fn rename_group(&mut self, id: GroupId, name: &str) {
        if let Some(row) = self.groups.get_mut(&id) {
            name.clone_into(&mut row.group.settings.name);
        }
    }

    pub fn delete_group(&mut self, id: GroupId) {
        self.groups.remove(&id);
        self.channels.retain(|_, row| row.channel.kind != ChannelKind::Group(id));
    }

    pub fn bump(&mut self, id: GroupId, concerned: &Concerned) -> Option<AccessVersion> {
        let group = &mut self.groups.get_mut(&id)?.group;
        group.version.0 += 1;
        group.changes.push(concerned.clone());
        let surplus = group.changes.len().saturating_sub(CHANGES_REMEMBERED);
        group.changes.drain(..surplus);
        let version = group.version;
        for row in self.channels.values_mut().filter(|row| row.channel.kind == ChannelKind::Group(id)) {
            row.channel.access = row.channel.access.max(version);
        }
        Some(version)
    }

    pub fn roles(&self, group: GroupId, users: &[UserId]) -> Vec<(UserId, Role)> {
        let Some(row) = self.groups.get(&group) else { return Vec::new() };
        let role = |user: &UserId| row.members.get(user).map(|member| (user.clone(), member.role));
        users.iter().filter_map(role).collect()
    }

    pub fn seat(&self, group: GroupId, user: &UserId) -> Seat {
        let Some(row) = self.groups.get(&group) else { return Seat::default() };
        let revision = row.revisions.get(user).copied().unwrap_or_default();
        Seat { role: row.members.get(user).map(|member| member.role), revision }
    }

    pub fn set_role(&mut self, group: GroupId, write: &RoleWrite) -> Written {
        let RoleWrite { user, role, over, since_ms } = write.clone();
        let is_next = self.has_no_fences || self.seat(group, &user).revision == over;
        let Some(row) = self.groups.get_mut(&group) else { return Written::Overtaken };
        if is_next {
            row.revisions.insert(user.clone(), over.next());
            match role {
                None => drop(row.members.remove(&user)),
                Some(role) => {
                    let new = || Member { user_id: user.clone(), role, since_ms };
                    row.members.entry(user.clone()).or_insert_with(new).role = role;
                }
            }
        }
        written(self.seat(group, &user) == Seat { role, revision: over.next() })
    }

    pub fn members(&self, group: GroupId, after: Option<&UserId>, limit: u16) -> Vec<Member> {
        let Some(row) = self.groups.get(&group) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let later = row.members.range::<UserId, _>((from, Bound::Unbounded));
        later.take(limit.into()).map(|(_, member)| member.clone()).collect()
    }

    pub fn count_members(&self, group: GroupId, up_to: u32) -> u32 {
        let count = self.groups.get(&group).map_or(0, |row| row.members.len());
        u32::try_from(count).unwrap_or(u32::MAX).min(up_to)
    }

    pub fn groups_of(&self, user: &UserId) -> Vec<(GroupId, Role)> {
        let role = |(id, row): (&GroupId, &GroupRow)| row.members.get(user).map(|member| (*id, member.role));
        self.groups.iter().filter_map(role).take(101).collect()
    }

    pub fn set_overrides(&mut self, channel: ChannelId, overrides: &[Override], over: Revision) -> Written {
        let Some(channel) = self.channels.get_mut(&channel).map(|row| &mut row.channel) else {
            return Written::Overtaken;
        };
        if channel.revision == over {
            (channel.overrides, channel.revision) = (overrides.to_vec(), over.next());
        }
        written(channel.revision == over.next() && channel.overrides == overrides)
    }

    pub fn delete_channel(&mut self, id: ChannelId) {
        self.channels.remove(&id);
    }

    pub fn channels_of(&self, groups: &[GroupId]) -> Vec<Channel> {
        let of =
            |channel: &&Channel| matches!(channel.kind, ChannelKind::Group(group) if groups.contains(&group));
        self.channels().filter(of).cloned().collect()
    }

    /// Keeps the roles as they are now, for [`Self::with_kept_roles`].
    pub fn keep_roles(&mut self) {
        let members = self.groups.iter().map(|(id, row)| (*id, row.members.clone())).collect();
        self.kept_roles = (self.now_ms(), members);
    }

    /// Looks at the tables as they were when roles were kept last, if that is not longer ago than this; no store lets
    /// anybody do so.
    pub fn with_kept_roles<T>(&mut self, at_most_ms: u64, look: impl FnOnce(&mut Self) -> T) -> T {
        let (kept_ms, kept) = &self.kept_roles;
        if self.now_ms() > kept_ms + at_most_ms {
            return look(self);
        }
        let now = self.groups.clone();
        for (id, members) in kept {
            if let Some(row) = self.groups.get_mut(id) {
                row.members.clone_from(members);
            }
        }
        let value = look(self);
        self.groups = now;
        value
    }
}

fn written(is_there: bool) -> Written {
    if is_there { Written::Yes } else { Written::Overtaken }
}

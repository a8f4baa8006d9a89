//! What is known of groups, and how new it is. Pure: who asks reads what is missing and hands it in.
//!
//! A view speaks of the version that its group had when the reading began, so all in it is at least as new. Two reads
//! can come too late: one of a group whose change was heard of meanwhile (its version is too low, [`Cache::commit`]
//! refuses it), and one of roles under a view that is no more (its [`Mark`] is too old, [`Cache::learn`] refuses it).
//!
//! What nobody has spoken of is not believed for ever: see [`Bounds`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::group::View;
use crate::groups::{Concerned, Role};
use crate::ids::{AccessVersion, ChannelId, GroupId, UserId};

/// What a role takes in memory beside the user's id.
const ROLE_BYTES: usize = 96;
/// Room for the version of a group of which nothing else is known.
const SLOT_BYTES: usize = 96;

/// How long something holds, and how much may be held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How long a view or a role is believed after its version was last seen to be the newest. Also how long a version
    /// that was heard of is remembered.
    pub life: Duration,
    /// How long it is believed at most: whoever died between a change and its version has left one that no version
    /// tells of.
    pub most: Duration,
    /// What all views together may take, in bytes.
    pub bytes: usize,
}

/// Tells views apart in time: grows whenever one gets another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark(u64);

/// What somebody wants to know of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub group: GroupId,
    /// The version that the answer must not be older than.
    pub at_least: AccessVersion,
    /// Whose roles.
    pub users: &'a [UserId],
}

/// The answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// All of it.
    Known(Known),
    /// Read the group and its channels, and [`Cache::commit`] them.
    Load,
    /// Read these users' roles, and [`Cache::learn`] them under this mark.
    Roles(Vec<UserId>, Mark),
}

/// A group and some users' rows in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The group and its channels.
    pub view: Arc<View>,
    /// The rows, in the order in which the users were asked for.
    pub rows: Vec<Option<Role>>,
}

/// What became of something that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It is known now.
    Kept,
    /// It had changed before it was here: read it again.
    Late,
}

#[derive(Debug)]
pub(super) struct Cache {
    bounds: Bounds,
    slots: HashMap<GroupId, Slot>,
    bytes: usize,
    mark: Mark,
    flushed: Option<Instant>,
}

#[derive(Debug)]
struct Slot {
    /// The highest version that was heard of: nothing older is taken in.
    heard: AccessVersion,
    used: Instant,
    loaded: Option<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    view: Arc<View>,
    roles: HashMap<UserId, RoleKnown>,
    members: Option<Arc<[UserId]>>,
    read: Instant,
    /// When the version was last seen to be the newest; `None`: read it again.
    sure: Option<Instant>,
    life: Duration,
    mark: Mark,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct RoleKnown {
    row: Option<Role>,
    read: Instant,
}

impl Cache {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, slots: HashMap::new(), bytes: 0, mark: Mark::default(), flushed: None }
    }

    /// The version that an answer must not be older than: the one asked for, or what was heard of by now.
    pub fn wanted(&self, ask: Ask<'_>) -> AccessVersion {
        self.slots.get(&ask.group).map_or(ask.at_least, |slot| slot.heard.max(ask.at_least))
    }

    /// What is known; whoever asks for a version has thereby heard of it.
    pub fn look(&mut self, ask: Ask<'_>, now: Instant) -> Look {
        let (mark, most) = (self.mark, self.bounds.most);
        let bytes = &mut self.bytes;
        let slot = self.slots.entry(ask.group).or_insert_with(|| {
            *bytes += SLOT_BYTES;
            Slot { heard: AccessVersion(0), used: now, loaded: None }
        });
        slot.used = now;
        slot.heard = slot.heard.max(ask.at_least);
        let holds = |loaded: &&Loaded| loaded.holds(most, now) && loaded.view.version() >= slot.heard;
        let Some(loaded) = slot.loaded.as_ref().filter(holds) else { return Look::Load };
        let row =
            |user: &UserId| loaded.roles.get(user).filter(|known| loaded.believes(known.read, most, now));
        let unknown: Vec<_> = ask.users.iter().filter(|user| row(user).is_none()).cloned().collect();
        if !unknown.is_empty() {
            return Look::Roles(unknown, mark);
        }
        let rows = ask.users.iter().map(|user| row(user).and_then(|known| known.row)).collect();
        Look::Known(Known { view: Arc::clone(&loaded.view), rows })
    }

    /// Notes that a group has changed, if anything is known of it or about to be.
    pub fn heard(&mut self, group: GroupId, version: AccessVersion) {
        if let Some(slot) = self.slots.get_mut(&group) {
            slot.heard = slot.heard.max(version);
        }
    }

    /// Notes that at a moment a group had this version, or was about to get it.
    pub fn confirm(&mut self, group: GroupId, version: AccessVersion, at: Instant) {
        self.heard(group, version);
        if self.flushed.is_some_and(|flushed| at < flushed) {
            return;
        }
        if let Some(loaded) = self.loaded(group).filter(|loaded| version <= loaded.view.version()) {
            loaded.sure = loaded.sure.max(Some(at));
        }
    }

    /// Takes a group in that was read from the store. Roles that its changes do not concern stay known.
    pub fn commit(&mut self, view: View, now: Instant) -> Read {
        let Some(slot) = self.slots.get_mut(&view.group.id) else { return Read::Late };
        if view.version() < slot.heard {
            return Read::Late;
        }
        slot.heard = view.version();
        let before = slot.loaded.take();
        self.bytes -= before.as_ref().map_or(0, |loaded| loaded.bytes);
        let same = before.as_ref().filter(|before| before.view.version() == view.version());
        let mark = same.map_or(Mark(self.mark.0 + 1), |before| before.mark);
        let members = same.and_then(|before| before.members.clone());
        self.mark = self.mark.max(mark);
        let most = self.bounds.most;
        let roles = before.map_or_else(HashMap::new, |before| still_known(before, &view, (most, now)));
        // Apart by a tenth, so that views that were loaded together are not all loaded again together.
        let life = self.bounds.life.mul_f64(0.9 + fastrand::f64() / 10.0);
        let id = view.group.id;
        let bytes = view.bytes() + roles.keys().map(role_bytes).sum::<usize>();
        let (view, sure) = (Arc::new(view), Some(now));
        slot.loaded = Some(Loaded { view, roles, members, read: now, sure, life, mark, bytes });
        self.bytes += bytes;
        self.shrink(id, now);
        Read::Kept
    }

    /// Takes rows in that were read after [`Look::Roles`] or [`Cache::mark`]; who was asked for and not found has none.
    pub fn learn(
        &mut self,
        group: GroupId,
        rows: impl IntoIterator<Item = (UserId, Option<Role>)>,
        (mark, now): (Mark, Instant),
    ) -> Read {
        let Some(loaded) = self.loaded(group).filter(|loaded| loaded.mark <= mark) else { return Read::Late };
        let mut more = 0;
        for (user, row) in rows {
            let bytes = role_bytes(&user);
            if loaded.roles.insert(user, RoleKnown { row, read: now }).is_none() {
                more += bytes;
            }
        }
        loaded.bytes += more;
        self.bytes += more;
        self.shrink(group, now);
        Read::Kept
    }

    /// The moment, for rows that are about to be read.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Whoever is in a group, if that was read under the newest version that was heard of.
    pub fn members(&self, group: GroupId) -> Option<Arc<[UserId]>> {
        let slot = self.slots.get(&group)?;
        let loaded = slot.loaded.as_ref().filter(|loaded| loaded.view.version() >= slot.heard)?;
        loaded.members.clone()
    }

    /// Notes who is in a group, read since this mark.
    pub fn learn_members(&mut self, group: GroupId, members: &Arc<[UserId]>, mark: Mark) {
        let Some(loaded) = self.loaded(group).filter(|loaded| loaded.mark <= mark) else { return };
        let before = loaded.members.replace(Arc::clone(members));
        let (less, more) = (before.map_or(0, |before| members_bytes(&before)), members_bytes(members));
        loaded.bytes = loaded.bytes + more - less;
        self.bytes = self.bytes + more - less;
    }

    /// The slow mode of a channel as it was last seen; 0 where nothing is known.
    pub fn slow_mode_s(&self, group: GroupId, channel: ChannelId) -> u16 {
        let loaded = self.slots.get(&group).and_then(|slot| slot.loaded.as_ref());
        let rules = loaded.and_then(|loaded| loaded.view.channels.get(&channel));
        rules.map_or(0, |rules| rules.settings.slow_mode_s)
    }

    /// Forgets a group that is gone.
    pub fn forget(&mut self, group: GroupId) {
        if let Some(slot) = self.slots.remove(&group) {
            self.bytes -= SLOT_BYTES + slot.loaded.map_or(0, |loaded| loaded.bytes);
        }
    }

    /// Believes no view any more without reading the group's version again.
    pub fn flush(&mut self, now: Instant) {
        for loaded in self.slots.values_mut().filter_map(|slot| slot.loaded.as_mut()) {
            loaded.sure = None;
        }
        self.flushed = Some(now);
    }

    /// What is held, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn loaded(&mut self, group: GroupId) -> Option<&mut Loaded> {
        self.slots.get_mut(&group)?.loaded.as_mut()
    }

    /// Lets go of what was asked for longest ago, until all that is held is an eighth below the bound. The version that
    /// was heard of stays a while: somebody may be reading the group just now.
    fn shrink(&mut self, spared: GroupId, now: Instant) {
        if self.bytes <= self.bounds.bytes {
            return;
        }
        let target = self.bounds.bytes / 8 * 7;
        let mut by_use: Vec<_> =
            self.slots.iter().filter(|(id, _)| **id != spared).map(|(id, slot)| (slot.used, *id)).collect();
        by_use.sort_unstable();
        for (used, id) in by_use {
            if self.bytes <= target {
                return;
            }
            if now.saturating_duration_since(used) > self.bounds.life {
                self.forget(id);
            } else if let Some(loaded) = self.slots.get_mut(&id).and_then(|slot| slot.loaded.take()) {
                self.bytes -= loaded.bytes;
            }
        }
        // Only this one is left: its roles can be read again one by one.
        if self.bytes > self.bounds.bytes
            && let Some(loaded) = self.slots.get_mut(&spared).and_then(|slot| slot.loaded.as_mut())
        {
            loaded.roles = HashMap::new();
            loaded.members = None;
            self.bytes = self.bytes - loaded.bytes + loaded.view.bytes();
            loaded.bytes = loaded.view.bytes();
        }
    }
}

impl Loaded {
    fn holds(&self, most: Duration, now: Instant) -> bool {
        self.sure.is_some() && self.believes(self.read, most, now)
    }

    /// Whether what was read then of this version is still believed.
    fn believes(&self, read: Instant, most: Duration, now: Instant) -> bool {
        now < read + most && now < self.sure.map_or(read, |sure| sure.max(read)) + self.life
    }
}

/// The roles of an older view that hold in this one too.
fn still_known(
    mut before: Loaded,
    view: &View,
    (most, now): (Duration, Instant),
) -> HashMap<UserId, RoleKnown> {
    let mut roles = std::mem::take(&mut before.roles);
    roles.retain(|_, known| before.believes(known.read, most, now));
    match view.group.concerned_since(before.view.version()) {
        None => roles.clear(),
        Some(concerned) => {
            for each in concerned {
                if let Concerned::User(user) = each {
                    roles.remove(user);
                }
            }
        }
    }
    roles
}

fn role_bytes(user: &UserId) -> usize {
    ROLE_BYTES + user.as_str().len()
}

fn members_bytes(members: &[UserId]) -> usize {
    members.iter().map(|user| 16 + user.as_str().len()).sum()
}

#[cfg(test)]
mod tests;

//! Who is on which node: the decisions, without I/O. Changes go out in batches; what is lost on the way shows as a
//! missing version and is asked for; a node that says nothing is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::remote::{Part, Remote};
use super::watchers::Watchers;
use crate::hub::connections::ConnectionId;
use crate::ids::UserId;
use crate::protocol::frame::UserPresence;
use crate::protocol::presence::{NodeTag, PresenceNotice, USERS_PER_NOTICE};
use crate::session::Watched;

/// How long a user may be without a connection, to change nodes for example, before they count as gone.
const LINGER: Duration = Duration::from_secs(3);
/// How often a node says something, at least.
const BEAT: Duration = Duration::from_secs(5);
/// How long a node may say nothing.
const SILENCE: Duration = Duration::from_secs(15);
/// Most other nodes: as many as there are server ids.
const NODES_MAX: usize = 1_024;

/// What this node knows.
#[derive(Debug)]
pub struct Directory {
    node: NodeTag,
    version: u64,
    /// Connections per user of this node; at 0 the user is about to be gone.
    connections: BTreeMap<UserId, usize>,
    leaving: BTreeMap<UserId, Instant>,
    /// Users of this node whose coming or going the others do not know yet.
    changed: BTreeSet<UserId>,
    remote: BTreeMap<NodeTag, Remote>,
    /// On how many other nodes a user is.
    others: BTreeMap<UserId, usize>,
    watchers: Watchers,
    /// Watched users who have come or gone.
    news: BTreeSet<UserId>,
    is_asked: bool,
    asks_all: bool,
    told: Option<Instant>,
}

/// What is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// To the other nodes.
    pub notices: Vec<PresenceNotice>,
    /// To connections.
    pub watchers: BTreeMap<ConnectionId, Vec<UserPresence>>,
}

impl Directory {
    /// Of a node that has just begun.
    pub fn new(node: NodeTag) -> Self {
        Self {
            node,
            version: 0,
            connections: BTreeMap::new(),
            leaving: BTreeMap::new(),
            changed: BTreeSet::new(),
            remote: BTreeMap::new(),
            others: BTreeMap::new(),
            watchers: Watchers::default(),
            news: BTreeSet::new(),
            is_asked: false,
            asks_all: true,
            told: None,
        }
    }

    /// A user has one connection more here.
    pub fn arrived(&mut self, user: &UserId) {
        self.leaving.remove(user);
        let is_new = !self.connections.contains_key(user);
        *self.connections.entry(user.clone()).or_default() += 1;
        if is_new {
            self.toggle(user);
            self.came_or_went_here(user);
        }
    }

    /// A user has one connection less here.
    pub fn left(&mut self, user: &UserId, now: Instant) {
        let Some(count) = self.connections.get_mut(user) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.leaving.insert(user.clone(), now + LINGER);
        }
    }

    /// Makes a connection watch these users and no others; gives where they are now.
    pub fn watch(&mut self, connection: ConnectionId, users: &Watched) -> Vec<UserPresence> {
        self.watchers.set(connection, users);
        users.iter().map(|user| self.presence(user)).collect()
    }

    /// A connection watches nobody any more.
    pub fn unwatch(&mut self, connection: ConnectionId) {
        self.watchers.remove(connection);
    }

    /// Anything may have been missed.
    pub fn ask_all(&mut self) {
        self.asks_all = true;
    }

    /// Takes in what a node has said, this one too.
    pub fn receive(&mut self, notice: &PresenceNotice, now: Instant) {
        match notice {
            PresenceNotice::Ask { of } => self.is_asked |= of.is_none_or(|of| of == self.node),
            PresenceNotice::Beat { node, version } => {
                if let Some(remote) = self.hear(*node, now) {
                    remote.note(*version);
                }
            }
            PresenceNotice::Changes { node, version, here, gone } => {
                if self.hear(*node, now).is_some_and(|remote| remote.is_next(*version)) {
                    here.iter().for_each(|user| self.came(*node, user));
                    gone.iter().for_each(|user| self.went(*node, user));
                }
            }
            PresenceNotice::Snapshot { node, version, part, parts, users } => {
                let part = Part { version: *version, part: *part, parts: *parts, users };
                if let Some(users) = self.hear(*node, now).and_then(|remote| remote.arrive(&part)) {
                    self.replace(*node, &users);
                }
            }
        }
    }

    /// What there is to tell; to be called about once a second.
    pub fn tick(&mut self, now: Instant) -> Told {
        self.let_go(now);
        self.forget_silent(now);
        let mut notices = self.changes();
        if std::mem::take(&mut self.is_asked) {
            notices.extend(self.snapshot());
        }
        let is_quiet = notices.is_empty();
        if is_quiet && self.told.is_none_or(|told| now.saturating_duration_since(told) >= BEAT) {
            notices.push(PresenceNotice::Beat { node: self.node, version: self.version });
        }
        if !notices.is_empty() {
            self.told = Some(now);
        }
        notices.extend(self.asks(now));
        Told { notices, watchers: self.news() }
    }

    fn let_go(&mut self, now: Instant) {
        let over: Vec<_> = self.leaving.extract_if(.., |_, until| *until <= now).collect();
        for (user, _) in over {
            self.connections.remove(&user);
            self.toggle(&user);
            self.came_or_went_here(&user);
        }
    }

    fn forget_silent(&mut self, now: Instant) {
        let is_silent = |remote: &Remote| now.saturating_duration_since(remote.heard) >= SILENCE;
        let silent: Vec<_> = self.remote.extract_if(.., |_, remote| is_silent(remote)).collect();
        for (_, remote) in silent {
            remote.users.iter().for_each(|user| self.one_node_less(user));
        }
    }

    fn changes(&mut self) -> Vec<PresenceNotice> {
        let changed: Vec<_> = std::mem::take(&mut self.changed).into_iter().collect();
        let notice = |users: &[UserId]| {
            self.version += 1;
            let is_here = |user: &&UserId| self.connections.contains_key(*user);
            let (here, gone): (Vec<_>, Vec<_>) = users.iter().partition(is_here);
            let [here, gone] = [here, gone].map(|users| users.into_iter().cloned().collect());
            PresenceNotice::Changes { node: self.node, version: self.version, here, gone }
        };
        changed.chunks(USERS_PER_NOTICE).map(notice).collect()
    }

    fn snapshot(&self) -> Vec<PresenceNotice> {
        let users: Vec<_> = self.connections.keys().cloned().collect();
        let parts = u32::try_from(users.len().div_ceil(USERS_PER_NOTICE).max(1)).unwrap_or(u32::MAX);
        let (node, version) = (self.node, self.version);
        let mut chunks = users.chunks(USERS_PER_NOTICE);
        (0..parts)
            .map(|part| {
                let users = chunks.next().unwrap_or_default().to_vec();
                PresenceNotice::Snapshot { node, version, part, parts, users }
            })
            .collect()
    }

    fn asks(&mut self, now: Instant) -> Vec<PresenceNotice> {
        if std::mem::take(&mut self.asks_all) {
            return vec![PresenceNotice::Ask { of: None }];
        }
        let behind = self.remote.iter_mut().filter_map(|(node, remote)| remote.asks(now).then_some(*node));
        behind.map(|node| PresenceNotice::Ask { of: Some(node) }).collect()
    }

    fn news(&mut self) -> BTreeMap<ConnectionId, Vec<UserPresence>> {
        let mut told = BTreeMap::<_, Vec<_>>::new();
        for user in std::mem::take(&mut self.news) {
            let presence = self.presence(&user);
            for connection in self.watchers.of(&user) {
                told.entry(connection).or_default().push(presence.clone());
            }
        }
        told
    }

    fn presence(&self, user: &UserId) -> UserPresence {
        let online = self.connections.contains_key(user) || self.others.contains_key(user);
        UserPresence { id: user.clone(), online }
    }

    /// The entry of another node, made if there is room; `None`: it is this one, or one too many.
    fn hear(&mut self, node: NodeTag, now: Instant) -> Option<&mut Remote> {
        let is_one_too_many = self.remote.len() >= NODES_MAX && !self.remote.contains_key(&node);
        if node == self.node || is_one_too_many {
            return None;
        }
        let remote = self.remote.entry(node).or_insert_with(|| Remote::new(now));
        remote.heard = now;
        Some(remote)
    }

    fn came(&mut self, node: NodeTag, user: &UserId) {
        if self.remote.get_mut(&node).is_some_and(|remote| remote.add(user)) {
            self.one_node_more(user);
        }
    }

    fn went(&mut self, node: NodeTag, user: &UserId) {
        if self.remote.get_mut(&node).is_some_and(|remote| remote.users.remove(user)) {
            self.one_node_less(user);
        }
    }

    fn replace(&mut self, node: NodeTag, users: &BTreeSet<UserId>) {
        let Some(remote) = self.remote.get(&node) else { return };
        let gone: Vec<_> = remote.users.difference(users).cloned().collect();
        let came: Vec<_> = users.difference(&remote.users).cloned().collect();
        gone.iter().for_each(|user| self.went(node, user));
        came.iter().for_each(|user| self.came(node, user));
    }

    /// Who comes and goes between two batches has not changed.
    fn toggle(&mut self, user: &UserId) {
        if !self.changed.remove(user) {
            self.changed.insert(user.clone());
        }
    }

    /// A user has come to this node or left it.
    fn came_or_went_here(&mut self, user: &UserId) {
        if !self.others.contains_key(user) {
            self.has_changed(user);
        }
    }

    /// A user has come to another node.
    fn one_node_more(&mut self, user: &UserId) {
        let others = self.others.entry(user.clone()).or_default();
        *others += 1;
        if *others == 1 && !self.connections.contains_key(user) {
            self.has_changed(user);
        }
    }

    /// A user has left another node.
    fn one_node_less(&mut self, user: &UserId) {
        let Some(others) = self.others.get_mut(user) else { return };
        *others -= 1;
        if *others == 0 {
            self.others.remove(user);
            if !self.connections.contains_key(user) {
                self.has_changed(user);
            }
        }
    }

    /// Watchers hear of it with the next batch, unless it has changed back by then.
    fn has_changed(&mut self, user: &UserId) {
        if !self.news.remove(user) && self.watchers.is_watched(user) {
            self.news.insert(user.clone());
        }
    }
}

#[cfg(test)]
mod tests;

//! What this node knows of groups and channels, so that a command or an event seldom has to ask the store who may do
//! what. [`cache`] decides what is new enough; here it is read.
//!
//! A change is heard of in three ways: over the bus ([`Views::heard`]), from the version that an entry or a reservation
//! bears (`at_least`), and from the comparison of heads, which is for every channel that somebody here follows
//! ([`Views::seen`]). A view that none of them has spoken of for a minute is read again.

mod cache;
mod group;
mod kinds;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crds::Posting;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use prometheus::IntCounter;
use tokio::time::sleep;

pub use self::cache::Known;
use self::cache::{Ask, Bounds, Cache, Look, Mark, Read};
pub use self::group::{ChannelRules, View};
use self::kinds::Kinds;
use crate::bus::USER_ROUTING_MEMBERS_MAX;
use crate::groups::{Override, Role};
use crate::ids::{AccessVersion, ChannelId, GroupId, UserId};
use crate::store::{Channel, ChannelKind, Store, StoreError};

/// How long a view or a role is believed after its version was last seen in the store.
const LIFE: Duration = Duration::from_secs(60);
/// How long it is believed at most.
const LIFE_MAX: Duration = Duration::from_secs(600);
/// What all views may take in memory.
const BYTES: usize = 64 * 1024 * 1024;
/// Users per read of roles.
const ROLES_PER_READ: usize = 500;
/// How often a group is read because what was read was older than what had been heard of.
const ATTEMPTS: u32 = 8;
/// How many of these are to be kept for others. A group that changes faster than it can be read would never be.
const FOR_ALL: u32 = 4;
/// Between two such reads, times their number.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// The reading of a group.
type Reading = BoxFuture<'static, Result<Loaded, StoreError>>;

/// Counts how often the store had not to be asked, and how often it had.
#[derive(Clone, Debug)]
pub struct Lookups {
    /// All was known.
    pub hits: IntCounter,
    /// Something had to be read.
    pub misses: IntCounter,
}

/// What this node knows. Clones share it.
#[derive(Clone)]
pub struct Views(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    lookups: Lookups,
    posting: Posting,
    cache: Mutex<Cache>,
    kinds: Mutex<Kinds>,
    loading: Mutex<HashMap<GroupId, WeakShared<Reading>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loaded {
    Yes,
    Late,
    Gone,
}

/// The moment before rows were read that are handed to [`Views::learn`] afterwards.
#[derive(Clone, Copy, Debug)]
pub struct Before(Mark);

impl Views {
    /// Nothing is known yet. `posting`: who may write in the official channel.
    pub fn new(store: Arc<dyn Store>, lookups: Lookups, posting: Posting) -> Self {
        let cache = Mutex::new(Cache::new(Bounds { life: LIFE, most: LIFE_MAX, bytes: BYTES }));
        let (kinds, loading) = Default::default();
        Self(Arc::new(Inner { store, lookups, posting, cache, kinds, loading }))
    }

    /// The channels of groups, with what the settings say of the official one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn channels_of(&self, groups: &[GroupId]) -> Result<Vec<Channel>, StoreError> {
        let mut channels = self.0.store.channels_of(groups).await?;
        let official = channels.iter_mut().find(|channel| channel.id == ChannelId::OFFICIAL);
        if let (Some(official), Posting::Admins) = (official, self.0.posting) {
            // The channel's own overrides go before it.
            official.overrides.insert(0, Override::members_only_read());
        }
        Ok(channels)
    }

    /// A group and the rows of `users`, not older than a version; `None`: it is gone.
    ///
    /// # Errors
    /// [`StoreError`]; also if the store keeps showing something older than was heard of.
    pub async fn group(
        &self,
        group: GroupId,
        at_least: AccessVersion,
        users: &[UserId],
    ) -> Result<Option<Known>, StoreError> {
        let wanted = self.cache().wanted(Ask { group, at_least, users });
        if let Some(known) = self.group_for_all(Ask { group, at_least: wanted, users }).await? {
            return Ok(known);
        }
        for attempt in FOR_ALL..ATTEMPTS {
            match self.group_once(group, users).await? {
                Some(known) if known.view.version() < wanted => sleep(BETWEEN_ATTEMPTS * attempt).await,
                known => return Ok(known),
            }
        }
        Err(StoreError::Unavailable(format!("it shows group {group} older than was heard of")))
    }

    /// A group as others will find it in the cache too, and nothing older than what is heard of until then; outer
    /// `None`: it keeps changing.
    async fn group_for_all(&self, ask: Ask<'_>) -> Result<Option<Option<Known>>, StoreError> {
        let (group, mut asked) = (ask.group, false);
        for attempt in 0..FOR_ALL {
            let look = self.cache().look(ask, now());
            let read = match look {
                Look::Known(known) => {
                    let lookups = &self.0.lookups;
                    if asked {
                        lookups.misses.inc()
                    } else {
                        lookups.hits.inc()
                    }
                    return Ok(Some(Some(known)));
                }
                Look::Load => match self.load(group).await? {
                    Loaded::Gone => return Ok(Some(None)),
                    Loaded::Yes => Read::Kept,
                    Loaded::Late => Read::Late,
                },
                Look::Roles(unknown, mark) => self.read_roles(group, &unknown, mark).await?,
            };
            asked = true;
            if read == Read::Late {
                sleep(BETWEEN_ATTEMPTS * attempt).await;
            }
        }
        Ok(None)
    }

    /// A group and rows as the store has them now, for one answer: what is heard of meanwhile came later than the
    /// question.
    async fn group_once(&self, id: GroupId, users: &[UserId]) -> Result<Option<Known>, StoreError> {
        self.0.lookups.misses.inc();
        let Some(group) = self.0.store.group(id).await? else { return Ok(None) };
        let channels = self.channels_of(&[id]).await?;
        let mut found = HashMap::new();
        for chunk in users.chunks(ROLES_PER_READ) {
            found.extend(self.0.store.roles(id, chunk).await?);
        }
        let rows = users.iter().map(|user| found.get(user).copied()).collect();
        Ok(Some(Known { view: Arc::new(View::new(group, channels)), rows }))
    }

    /// What kind of channel this is; `None`: there is none. The kind never changes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kind(&self, channel: ChannelId) -> Result<Option<ChannelKind>, StoreError> {
        if let Some(kind) = self.known_kind(channel) {
            return Ok(Some(kind));
        }
        let Some(found) = self.0.store.channel(channel).await? else { return Ok(None) };
        self.note_kind(channel, &found.kind);
        Ok(Some(found.kind))
    }

    /// The same without asking the store.
    pub fn known_kind(&self, channel: ChannelId) -> Option<ChannelKind> {
        self.kinds().get(channel)
    }

    /// Notes a channel's kind.
    pub fn note_kind(&self, channel: ChannelId, kind: &ChannelKind) {
        self.kinds().note(channel, kind);
    }

    /// The slow mode of a channel as it was last seen, in seconds; 0 also where nothing is known.
    pub fn slow_mode_s(&self, channel: ChannelId) -> u16 {
        match self.known_kind(channel) {
            Some(ChannelKind::Group(group)) => self.cache().slow_mode_s(group, channel),
            Some(ChannelKind::Direct(_)) | None => 0,
        }
    }

    /// Notes that a group has another version now.
    pub fn heard(&self, group: GroupId, version: AccessVersion) {
        self.cache().heard(group, version);
    }

    /// Notes which version a group's channel bore in the store at a moment.
    pub fn seen(&self, group: GroupId, version: AccessVersion, at: Instant) {
        self.cache().confirm(group, version, at);
    }

    /// Believes nothing without asking for the versions again: changes may have been missed.
    pub fn flush(&self) {
        self.cache().flush(now());
    }

    /// The moment before rows are read elsewhere.
    pub fn before(&self) -> Before {
        Before(self.cache().mark())
    }

    /// Takes a user's row in that was read elsewhere since then, if the group is known and has not changed.
    pub fn learn(&self, group: GroupId, (user, row): (&UserId, Option<Role>), before: Before) {
        self.cache().learn(group, [(user.clone(), row)], (before.0, now()));
    }

    /// Whoever is in a group, at most one more than [`USER_ROUTING_MEMBERS_MAX`]; only for groups that are routed by
    /// their members. Empty if the group is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn members(&self, group: GroupId) -> Result<Arc<[UserId]>, StoreError> {
        if let Some(members) = self.known_members(group) {
            return Ok(members);
        }
        let mark = self.before().0;
        let limit = u16::try_from(USER_ROUTING_MEMBERS_MAX + 1).unwrap_or(u16::MAX);
        let rows = self.0.store.members(group, None, limit).await?;
        let members: Arc<[UserId]> = rows.into_iter().map(|member| member.user_id).collect();
        self.cache().learn_members(group, &members, mark);
        Ok(members)
    }

    /// The same without asking the store.
    pub fn known_members(&self, group: GroupId) -> Option<Arc<[UserId]>> {
        self.cache().members(group)
    }

    /// Reads a group and its channels; who comes while that is under way waits for the same reading.
    async fn load(&self, group: GroupId) -> Result<Loaded, StoreError> {
        let loading = {
            let mut all = self.0.loading.lock().unwrap_or_else(PoisonError::into_inner);
            match all.get(&group).and_then(WeakShared::upgrade) {
                Some(loading) => loading,
                None => {
                    let loading: Shared<Reading> = read_group(self.clone(), group).boxed().shared();
                    all.extend(loading.downgrade().map(|weak| (group, weak)));
                    loading
                }
            }
        };
        loading.await
    }

    async fn read_roles(&self, group: GroupId, users: &[UserId], mark: Mark) -> Result<Read, StoreError> {
        for chunk in users.chunks(ROLES_PER_READ) {
            let found: HashMap<_, _> = self.0.store.roles(group, chunk).await?.into_iter().collect();
            let rows = chunk.iter().map(|user| (user.clone(), found.get(user).copied()));
            if self.cache().learn(group, rows, (mark, now())) == Read::Late {
                return Ok(Read::Late);
            }
        }
        Ok(Read::Kept)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kinds(&self) -> MutexGuard<'_, Kinds> {
        self.0.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// First the group with its version, then its channels: so these are at least as new as the version says.
async fn read_group(views: Views, id: GroupId) -> Result<Loaded, StoreError> {
    let read = async {
        let Some(group) = views.0.store.group(id).await? else {
            views.cache().forget(id);
            return Ok(Loaded::Gone);
        };
        let channels = views.channels_of(&[id]).await?;
        for channel in &channels {
            views.note_kind(channel.id, &channel.kind);
        }
        Ok(match views.cache().commit(View::new(group, channels), now()) {
            Read::Kept => Loaded::Yes,
            Read::Late => Loaded::Late,
        })
    }
    .await;
    views.0.loading.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    read
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").field("bytes", &self.cache().bytes()).finish_non_exhaustive()
    }
}

/// The runtime's time, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;

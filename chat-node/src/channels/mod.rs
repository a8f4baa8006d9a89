//! Channels as users have them: who may do what, sending, following, history. On this node a channel that somebody
//! follows is a room of the hub; behind it stands its log in the store.

pub mod acquaintance;
pub mod compare;
pub mod direct;
pub mod fetch;
pub mod fill;
pub mod follow;
pub mod history;
pub mod log;
pub mod official;
pub mod receive;
pub mod send;
pub mod typing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bus::Bus;
use crate::error::{ErrorCode, Problem};
use crate::hub::Hub;
use crate::ids::lease::Ids;
use crate::ids::{ChannelId, GroupId, MessageId, UserId};
use crate::metrics::Metrics;
use crate::protocol::message::Message;
use crate::store::{ChannelKind, Store, StoreError};

/// Channels whose kind is remembered; the kind never changes, so forgetting is only a read more.
const KINDS_MAX: usize = 65_536;

/// All channels, seen from this node.
#[derive(Debug)]
pub struct Channels {
    store: Arc<dyn Store>,
    log: log::Log,
    ids: Ids,
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
    metrics: Arc<Metrics>,
    kinds: Mutex<HashMap<ChannelId, ChannelKind>>,
    fills: Arc<tokio::sync::Semaphore>,
}

/// What channels stand on.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// Where ids come from.
    pub ids: Ids,
    /// Who hears what.
    pub hub: Arc<Hub>,
    /// The way to the other nodes.
    pub bus: Arc<dyn Bus>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Channels {
    /// Channels on this foundation.
    pub fn new(foundation: Foundation) -> Arc<Self> {
        let Foundation { store, ids, hub, bus, metrics } = foundation;
        Arc::new_cyclic(|channels: &std::sync::Weak<Self>| {
            let stored = channels.clone();
            let log = log::Log::observed(Arc::clone(&store), ids.clone(), move |entries| {
                if let Some(channels) = stored.upgrade() {
                    channels.stored(entries);
                }
            });
            let kinds =
                Mutex::new(HashMap::from([(ChannelId::OFFICIAL, ChannelKind::Group(GroupId::OFFICIAL))]));
            let fills = Arc::new(tokio::sync::Semaphore::new(fill::AT_ONCE));
            Self { store, log, ids, hub, bus, metrics, kinds, fills }
        })
    }

    /// A page of messages before `before`, or the last ones, newest first.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], also where `user` has no part in it; [`ErrorCode::Unavailable`].
    pub async fn history(
        &self,
        user: &UserId,
        channel: ChannelId,
        (before, size): (Option<MessageId>, history::PageSize),
    ) -> Result<Vec<Message>, Problem> {
        self.permit(user, channel).await?;
        history::page(&*self.store, channel, before, size).await.map_err(|error| problem_of(&error))
    }

    /// The channel's kind, if `user` may read and write it.
    async fn permit(&self, user: &UserId, channel: ChannelId) -> Result<ChannelKind, Problem> {
        let kind = self.kind(channel).await.map_err(|error| problem_of(&error))?;
        // Whoever has no part in a channel learns nothing of it, not even that it is there.
        kind.filter(|kind| may_use(kind, user)).ok_or_else(|| {
            Problem::new(ErrorCode::UnknownChannel, format!("there is no channel {channel} for you"))
        })
    }

    async fn kind(&self, channel: ChannelId) -> Result<Option<ChannelKind>, StoreError> {
        if let Some(kind) = self.known_kind(channel) {
            return Ok(Some(kind));
        }
        let Some(found) = self.store.channel(channel).await? else { return Ok(None) };
        self.remember_kind(channel, &found.kind);
        Ok(Some(found.kind))
    }

    fn known_kind(&self, channel: ChannelId) -> Option<ChannelKind> {
        self.kinds().get(&channel).cloned()
    }

    fn remember_kind(&self, channel: ChannelId, kind: &ChannelKind) {
        let mut kinds = self.kinds();
        if kinds.len() >= KINDS_MAX {
            kinds.retain(|id, _| *id == ChannelId::OFFICIAL);
        }
        kinds.insert(channel, kind.clone());
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<ChannelId, ChannelKind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `user` may read and write a channel of this kind.
pub fn may_use(kind: &ChannelKind, user: &UserId) -> bool {
    match kind {
        ChannelKind::Group(group) => *group == GroupId::OFFICIAL,
        ChannelKind::Direct(users) => users.contains(user),
    }
}

/// What a client is told of a failed store.
pub fn problem_of(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable(reason) => {
            tracing::warn!(%reason, "the store does not answer");
            // Spread, so that all clients do not come back at once.
            let retry_after = std::time::Duration::from_millis(fastrand::u64(1_000..5_000));
            Problem::retry(ErrorCode::Unavailable, "the store does not answer", retry_after)
        }
        StoreError::Refused(_) | StoreError::Corrupt(_) => {
            tracing::error!(%error, "the store failed");
            Problem::new(ErrorCode::Internal, "the server failed; its log says why")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_uses_the_official_channel_and_only_its_two_users_a_direct_one() {
        let [ada, bob, eve] = ["ada", "bob", "eve"].map(|id| id.parse::<UserId>().unwrap());
        assert!(may_use(&ChannelKind::Group(GroupId::OFFICIAL), &eve));
        let direct = ChannelKind::Direct([ada.clone(), bob.clone()]);
        assert!(may_use(&direct, &ada) && may_use(&direct, &bob));
        assert!(!may_use(&direct, &eve));
    }
}

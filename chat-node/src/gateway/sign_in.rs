//! What a client needs to begin: its user written down, its channels gathered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGauge;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Gateway;
use crate::auth::Identity;
use crate::hub::connections::ConnectionId;
use crate::ids::UserId;
use crate::protocol::cursors::Cursors;
use crate::protocol::message::User;
use crate::session::{IdentifyRefusal, Welcome};
use crate::store::StoreError;

/// Longest life of a connection's token that a timer is set for.
const LIFE_MAX: Duration = Duration::from_secs(365 * 86_400);
/// Users who are known to be written down; forgetting one is only a write more.
const WRITTEN_MAX: usize = 65_536;

/// Sign-ins at a time. When thousands of clients come at once, more would only slow each other down until the store's
/// answers come too late for all; and their clients, who then come again, would keep it so.
const AT_ONCE: usize = 32;
/// How long a client waits for its turn. Most give up themselves after half a minute.
const TURN_WITHIN: Duration = Duration::from_secs(20);

/// Users whom this node has written down, with the names that they had.
#[derive(Debug, Default)]
pub struct Written(Mutex<BTreeMap<UserId, String>>);

/// Whose turn it is to be signed in: who came first.
#[derive(Debug)]
pub struct Turns(Semaphore);

pub(super) async fn welcome(
    gateway: &Gateway,
    (connection, identity): (ConnectionId, Identity),
    cursors: &Cursors,
    now: Instant,
) -> Result<Welcome, IdentifyRefusal> {
    let unavailable = |error: StoreError| {
        tracing::warn!(%error, "a user could not be signed in");
        IdentifyRefusal::Unavailable
    };
    let _turn =
        gateway.turns.take(&gateway.metrics.sign_ins_waiting).await.ok_or(IdentifyRefusal::Unavailable)?;
    let Identity { user, expires_s } = identity;
    if !gateway.written.has(&user) {
        gateway.store.put_user(&user).await.map_err(unavailable)?;
        gateway.written.add(&user);
    }
    gateway.hub.connections.asks(connection);
    let channels = gateway.channels.of_user(&user.id, &cursors.0).await.map_err(unavailable)?;
    let left = Duration::from_secs(expires_s.saturating_sub(gateway.clock.wall_ms() / 1_000));
    Ok(Welcome { user, expires: now + left.min(LIFE_MAX), channels })
}

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Turns {
    /// Waits for a turn, which lasts as long as what is returned; `None` if it has not come in time. Whoever waits is
    /// counted in `waiting`.
    async fn take(&self, waiting: &IntGauge) -> Option<SemaphorePermit<'_>> {
        let _waits = Waits::counted(waiting);
        timeout(TURN_WITHIN, self.0.acquire()).await.ok()?.ok()
    }
}

/// Counts somebody who waits, however that ends.
struct Waits<'a>(&'a IntGauge);

impl<'a> Waits<'a> {
    fn counted(waiting: &'a IntGauge) -> Self {
        waiting.inc();
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Written {
    fn has(&self, user: &User) -> bool {
        self.with(|names| names.get(&user.id) == Some(&user.name))
    }

    fn add(&self, user: &User) {
        self.with(|names| {
            if names.len() >= WRITTEN_MAX {
                names.clear();
            }
            names.insert(user.id.clone(), user.name.clone());
        });
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<UserId, String>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::{advance, pause};

    use super::*;

    fn waiting() -> IntGauge {
        IntGauge::new("waiting", "of a test").unwrap()
    }

    #[tokio::test]
    async fn who_comes_beyond_the_turns_waits_and_who_came_first_is_first() {
        let (turns, waiting) = (Turns::default(), waiting());
        let mut taken = Vec::new();
        for _ in 0..AT_ONCE {
            taken.push(turns.take(&waiting).now_or_never().flatten().unwrap());
        }
        assert_eq!(waiting.get(), 0);
        let (mut first, mut second) = (Box::pin(turns.take(&waiting)), Box::pin(turns.take(&waiting)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert_eq!(waiting.get(), 2);
        taken.pop();
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.as_mut().now_or_never().flatten().is_some());
        // The turn ended with what it returned.
        assert!(second.as_mut().now_or_never().flatten().is_some());
        assert_eq!(waiting.get(), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_and_who_gives_up_is_not_counted() {
        pause();
        let (turns, waiting) = (Turns::default(), waiting());
        let _all = turns.0.acquire_many(AT_ONCE as u32).await.unwrap();
        let (mut waits, mut leaves) = (Box::pin(turns.take(&waiting)), Box::pin(turns.take(&waiting)));
        assert!(waits.as_mut().now_or_never().is_none() && leaves.as_mut().now_or_never().is_none());
        drop(leaves);
        assert_eq!(waiting.get(), 1);
        advance(TURN_WITHIN).await;
        assert!(waits.await.is_none());
        assert_eq!(waiting.get(), 0);
    }
}

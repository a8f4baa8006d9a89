//! What a client needs to begin: its user written down, its channels gathered.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Gateway;
use super::turns::Outcome;
use crate::auth::Identity;
use crate::hub::connections::ConnectionId;
use crate::protocol::cursors::Cursors;
use crate::protocol::message::User;
use crate::session::{IdentifyRefusal, Welcome};
use crate::store::StoreError;

/// Longest life of a connection's token that a timer is set for.
const LIFE_MAX: Duration = Duration::from_secs(365 * 86_400);
/// Users who are known to be written down; forgetting one is only a write more.
const WRITTEN_MAX: usize = 65_536;

/// Whoever has more channels takes longer, however prompt the store is.
const USUAL_CHANNELS: usize = 50;

/// Users whom this node has written down, with the names that they had last: of both a keyed hash of 64 bits, as that any two
/// of so many have the same happens once in 10^10 nodes.
#[derive(Debug, Default)]
pub struct Written {
    names: Mutex<HashMap<u64, u64>>,
    keys: RandomState,
}

pub(super) async fn welcome(
    gateway: &Gateway,
    whose: (ConnectionId, Identity),
    cursors: &Cursors,
    now: Instant,
) -> Result<Welcome, IdentifyRefusal> {
    let turn = gateway.turns.take(&gateway.metrics.sign_ins_waiting).await;
    let turn = turn.ok_or(IdentifyRefusal::Unavailable)?;
    let gathered = gather(gateway, whose, cursors, now).await;
    turn.end(match &gathered {
        Ok(welcome) if welcome.channels.len() <= USUAL_CHANNELS => Outcome::SignedIn,
        Err(StoreError::Unavailable(_)) => Outcome::Failed,
        Ok(_) | Err(_) => Outcome::Untold,
    });
    gathered.map_err(|error| {
        tracing::warn!(%error, "a user could not be signed in");
        IdentifyRefusal::Unavailable
    })
}

async fn gather(
    gateway: &Gateway,
    (connection, identity): (ConnectionId, Identity),
    cursors: &Cursors,
    now: Instant,
) -> Result<Welcome, StoreError> {
    let Identity { user, expires_s } = identity;
    if !gateway.written.has(&user) {
        gateway.store.put_user(&user).await?;
        gateway.written.add(&user);
    }
    gateway.hub.connections.asks(connection);
    let channels = gateway.channels.of_user(&user.id, &cursors.0).await?;
    let left = Duration::from_secs(expires_s.saturating_sub(gateway.clock.wall_ms() / 1_000));
    Ok(Welcome { user, expires: now + left.min(LIFE_MAX), channels })
}

impl Written {
    fn has(&self, user: &User) -> bool {
        let (id, name) = self.hashes(user);
        self.with(|names| names.get(&id) == Some(&name))
    }

    fn add(&self, user: &User) {
        let (id, name) = self.hashes(user);
        self.with(|names| {
            if names.len() >= WRITTEN_MAX {
                names.clear();
            }
            names.insert(id, name);
        });
    }

    fn hashes(&self, user: &User) -> (u64, u64) {
        (self.keys.hash_one(&user.id), self.keys.hash_one(&user.name))
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<u64, u64>) -> T) -> T {
        look(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_an_earlier_name_again_is_written_down_again() {
        let (written, called) =
            (Written::default(), |name: &str| User { id: "ada".parse().unwrap(), name: name.to_owned() });
        written.add(&called("A"));
        assert!(written.has(&called("A")));
        written.add(&called("B"));
        assert!(written.has(&called("B")) && !written.has(&called("A")));
    }
}

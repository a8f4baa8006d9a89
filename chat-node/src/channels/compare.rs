//! Comparing heads: the bus may lose anything, so every few seconds, more often while the broker is away, the node
//! asks the store how far the channels are that somebody here follows, and which version their groups have.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crds::node::Dependency;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::Channels;
use crate::hub::room::Room;
use crate::ids::ChannelId;
use crate::store::{ChannelKind, StoreError};

/// Between two comparisons while the broker is there, before the jitter of half.
const HEALTHY: Duration = Duration::from_secs(4);
/// The same while it is away: the longest that a message then takes.
const DEGRADED: Duration = Duration::from_millis(600);
/// Comparisons between two sweeps of the rooms and, while the broker is away, two looks for new channels.
const LOOKS: u32 = 25;
/// Channels per read.
const PER_READ: usize = 500;

impl Channels {
    /// Compares for ever.
    pub async fn keep_comparing(self: Arc<Self>, report: impl Fn(Dependency)) {
        let (mut round, mut look) = (0_u32, None::<JoinHandle<()>>);
        loop {
            let degraded = self.until_due().await;
            report(match self.compare(self.hub.rooms()).await {
                Ok(()) => Dependency::Reachable,
                Err(error) => Dependency::Unreachable { reason: error.to_string() },
            });
            round = round.wrapping_add(1);
            if round.is_multiple_of(LOOKS) {
                self.hub.sweep();
                if degraded && look.as_ref().is_none_or(JoinHandle::is_finished) {
                    look = Some(self.introduce_missed_soon(self.hub.connections.users()));
                }
            }
        }
    }

    /// Waits until the next comparison is due; gives whether the broker is away. That it has gone is noticed at once, not
    /// only at the end of a long pause.
    async fn until_due(&self) -> bool {
        let end = Instant::now() + jittered(HEALTHY);
        loop {
            sleep(jittered(DEGRADED)).await;
            let degraded = self.bus.health() != Dependency::Reachable;
            self.metrics.degraded.set(degraded.into());
            if degraded || Instant::now() >= end {
                return degraded;
            }
        }
    }

    pub(super) fn compare_soon(self: &Arc<Self>, rooms: Vec<Arc<Room>>) {
        let channels = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = channels.compare(rooms).await {
                // The next round comes soon.
                tracing::debug!(%error, "the heads could not be compared");
            }
        });
    }

    async fn compare(self: &Arc<Self>, rooms: Vec<Arc<Room>>) -> Result<(), StoreError> {
        for chunk in rooms.chunks(PER_READ) {
            let ids: Vec<ChannelId> = chunk.iter().map(|room| room.id).collect();
            let began = Instant::now().into_std();
            let heads: HashMap<_, _> = self.store.heads(&ids).await?.into_iter().collect();
            for room in chunk {
                let Some(head) = heads.get(&room.id) else { continue };
                if let ChannelKind::Group(group) = room.kind {
                    self.views.seen(group, head.access, began);
                }
                let passed = room.compare(*head);
                self.passed(room, passed);
            }
        }
        Ok(())
    }
}

fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.5 + fastrand::f64() / 2.0)
}

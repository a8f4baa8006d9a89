//! What a node knows of its lease, and when it must act. Pure: instants are given.

use std::time::Duration;

use tokio::time::Instant;

use super::TTL;
use crate::ids::ServerId;
use crate::store::Lease;

const RENEW_EVERY: Duration = Duration::from_secs(TTL.as_secs() / 3);
/// Without a confirmed renewal for so long nothing more is issued: well before another node may take the number.
const ISSUE_FOR: Duration = Duration::from_secs(TTL.as_secs() * 2 / 3);
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How far ahead of now ids are covered: until the lease would expire, so that a number whose holder died is
/// free again at that moment.
const COVER_MS: u64 = TTL.as_secs() * 1_000;

#[derive(Debug)]
pub(super) struct Tenure {
    lease: Lease,
    issue_until: Instant,
    renew_at: Instant,
}

impl Tenure {
    /// A lease that was just acquired: it covers no ids before its first renewal, which is due at once.
    pub fn new(lease: Lease, now: Instant) -> Self {
        Self { lease, issue_until: now, renew_at: now }
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    pub fn server_id(&self) -> ServerId {
        self.lease.server_id
    }

    pub fn may_issue(&self, now: Instant) -> bool {
        now < self.issue_until
    }

    /// When to renew next.
    pub fn renew_at(&self) -> Instant {
        self.renew_at
    }

    /// The store confirmed a renewal that was asked for at `asked`: it counts from there, as the store may have
    /// acted any time after.
    pub fn renewed(&mut self, asked: Instant) {
        self.issue_until = asked + ISSUE_FOR;
        self.renew_at = asked + RENEW_EVERY;
    }

    /// The store did not answer.
    pub fn failed(&mut self, now: Instant) {
        self.renew_at = now + RETRY_EVERY;
    }
}

/// The time up to which a renewal at `now_ms` should cover ids, if somebody waits for `wanted_ms`.
pub(super) fn to_cover(now_ms: u64, wanted_ms: u64) -> u64 {
    let usual = now_ms.saturating_add(COVER_MS);
    // A channel that was pushed ahead will go on there: leave it room for more than one append.
    if wanted_ms > usual { wanted_ms.saturating_add(COVER_MS) } else { usual }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenure(now: Instant) -> Tenure {
        let lease = Lease { server_id: ServerId::new(3).unwrap(), fence: 1, used_until_ms: 0 };
        Tenure::new(lease, now)
    }

    #[test]
    fn nothing_is_issued_before_the_first_renewal() {
        let now = Instant::now();
        assert!(!tenure(now).may_issue(now));
        assert_eq!(tenure(now).renew_at(), now);
    }

    #[test]
    fn a_renewal_counts_from_when_it_was_asked_for() {
        let asked = Instant::now();
        let mut tenure = tenure(asked);
        tenure.renewed(asked);
        assert_eq!(tenure.renew_at(), asked + TTL / 3);
        assert!(tenure.may_issue(asked + TTL * 2 / 3 - Duration::from_millis(1)));
        assert!(!tenure.may_issue(asked + TTL * 2 / 3));
    }

    #[test]
    fn a_failed_renewal_is_tried_again_soon_and_prolongs_nothing() {
        let asked = Instant::now();
        let mut tenure = tenure(asked);
        tenure.renewed(asked);
        tenure.failed(asked + TTL / 3);
        assert_eq!(tenure.renew_at(), asked + TTL / 3 + RETRY_EVERY);
        assert!(!tenure.may_issue(asked + TTL * 2 / 3));
    }

    #[test]
    fn a_channel_far_ahead_is_covered_with_room_to_spare() {
        assert_eq!(to_cover(1_000, 0), 1_000 + COVER_MS);
        assert_eq!(to_cover(1_000, 2_000), 1_000 + COVER_MS);
        assert_eq!(to_cover(1_000, 900_000), 900_000 + COVER_MS);
    }
}

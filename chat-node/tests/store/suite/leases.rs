use std::collections::HashSet;
use std::time::Duration;

use chat_node::ids::ServerId;
use chat_node::store::{Lease, Store, StoreError};
use futures::future::join_all;
use tokio::time::{sleep, timeout};

use super::fixture::Fixture;

const LONG_MS: u64 = 60_000;

/// Waits until the store's clock has passed `ms`.
async fn passed(store: &dyn Store, ms: u64) {
    let passing = async {
        while store.now_ms().await.unwrap() <= ms {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), passing).await.unwrap();
}

/// A lease that has expired already.
async fn expired(store: &dyn Store) -> Lease {
    let lease = store.lease_acquire("gone", 1).await.unwrap();
    passed(store, store.now_ms().await.unwrap() + 1).await;
    lease
}

pub async fn nodes_that_start_at_once_hold_different_numbers(fixture: Fixture) {
    let mut nodes = vec![fixture.node().await];
    for _ in 0..3 {
        nodes.push(fixture.unprepared().await);
    }
    let starts = (0..24).map(|n| nodes[n % nodes.len()].lease_acquire("node", LONG_MS));
    let numbers: HashSet<_> =
        join_all(starts).await.into_iter().map(|lease| lease.unwrap().server_id.get()).collect();
    assert_eq!(numbers, (0..24).collect());
}

pub async fn an_expired_number_is_leased_again_and_its_old_holder_has_lost_it(fixture: Fixture) {
    let node = fixture.node().await;
    let old = expired(&*node).await;
    let new = node.lease_acquire("b", LONG_MS).await.unwrap();
    assert_eq!(new.server_id, old.server_id);
    assert!(new.fence > old.fence);
    assert_eq!(node.lease_renew(&old, LONG_MS, 0).await, Ok(false));
    node.lease_release(&old, 0).await.unwrap();
    assert_eq!(node.lease_renew(&new, LONG_MS, 0).await, Ok(true), "the old holder cannot give it back");
    assert_ne!(node.lease_acquire("c", LONG_MS).await.unwrap().server_id, new.server_id);
}

pub async fn a_number_whose_ids_are_used_beyond_now_is_not_leased(fixture: Fixture) {
    let node = fixture.node().await;
    let lease = node.lease_acquire("a", 1).await.unwrap();
    let ahead_ms = node.now_ms().await.unwrap() + LONG_MS;
    assert_eq!(node.lease_renew(&lease, 1, ahead_ms).await, Ok(true));
    // What was written down once does not fall.
    assert_eq!(node.lease_renew(&lease, 1, 0).await, Ok(true));
    passed(&*node, node.now_ms().await.unwrap() + 1).await;
    assert_ne!(node.lease_acquire("b", LONG_MS).await.unwrap().server_id, lease.server_id);
}

pub async fn a_number_that_was_given_back_says_until_when_it_was_used(fixture: Fixture) {
    let node = fixture.node().await;
    let lease = node.lease_acquire("a", LONG_MS).await.unwrap();
    let now_ms = node.now_ms().await.unwrap();
    node.lease_renew(&lease, LONG_MS, now_ms + LONG_MS).await.unwrap();
    node.lease_release(&lease, now_ms).await.unwrap();
    assert_eq!(node.lease_renew(&lease, LONG_MS, 0).await, Ok(false), "it is given back");
    passed(&*node, now_ms + 1).await;
    let next = node.lease_acquire("b", LONG_MS).await.unwrap();
    assert_eq!((next.server_id, next.used_until_ms), (lease.server_id, now_ms));
}

pub async fn a_lease_that_expired_but_was_not_taken_can_be_renewed(fixture: Fixture) {
    let node = fixture.node().await;
    let lease = expired(&*node).await;
    assert_eq!(node.lease_renew(&lease, LONG_MS, 0).await, Ok(true));
    assert_ne!(node.lease_acquire("b", LONG_MS).await.unwrap().server_id, lease.server_id);
}

pub async fn all_numbers_can_be_leased_and_then_none(fixture: Fixture) {
    let node = fixture.node().await;
    let mut numbers = HashSet::new();
    for _ in 0..ServerId::COUNT / 32 {
        let starts = join_all((0..32).map(|_| node.lease_acquire("node", 10 * LONG_MS))).await;
        numbers.extend(starts.into_iter().map(|lease| lease.unwrap().server_id));
    }
    assert_eq!(numbers.len(), usize::from(ServerId::COUNT));
    let none = node.lease_acquire("one too many", LONG_MS).await;
    assert!(matches!(none, Err(StoreError::Refused(_))), "{none:?}");
}

//! The keeper with a real store in memory, in paused time.

use tokio::time::{Instant, sleep};

use super::*;
use crate::clock::Manual;
use crate::ids::AccessVersion;
use crate::ids::Position;
use crate::ids::snowflake::EPOCH_MS;
use crate::store::bucket::BucketLength;
use crate::store::embedded::Embedded;
use crate::store::faulty::Faulty;

const START_MS: u64 = EPOCH_MS + 1_000_000_000;

/// A calendar that runs with the runtime's paused time, `off_ms` ahead of the store's.
#[derive(Debug)]
struct Running {
    since: Instant,
    off_ms: u64,
}

impl Clock for Running {
    fn wall_ms(&self) -> u64 {
        START_MS + self.off_ms + self.since.elapsed().as_millis() as u64
    }
}

struct Node {
    ids: Ids,
    keeper: JoinHandle<()>,
    stop: CancellationToken,
}

impl Node {
    fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let stop = CancellationToken::new();
        let (ids, keeper) = spawn(store, clock, "n1".to_owned(), stop.clone());
        Self { ids, keeper, stop }
    }

    async fn ready(&self) -> u16 {
        let mut watch = self.ids.watch();
        watch.wait_for(Option::is_some).await.unwrap();
        self.ids.server_id().unwrap().get()
    }

    async fn id(&self, ms: u64) -> Result<MessageId, IdError> {
        let reserved = Reservation { first: Position(1), first_ms: ms, access: AccessVersion(0) };
        self.ids.message_ids(reserved, 1).await.map(|ids| ids[0])
    }
}

async fn store() -> Arc<Faulty> {
    let clock = Arc::new(Running { since: Instant::now(), off_ms: 0 });
    let store = Embedded::in_memory(BucketLength::default(), clock).unwrap();
    store.prepare("Official").await.unwrap();
    Faulty::new(Arc::new(store))
}

fn clock(off_ms: u64) -> Arc<dyn Clock> {
    Arc::new(Running { since: Instant::now(), off_ms })
}

#[tokio::test(start_paused = true)]
async fn two_nodes_hold_two_numbers_for_as_long_as_they_live() {
    let store = store().await;
    let (a, b) = (Node::start(store.clone(), clock(0)), Node::start(store.clone(), clock(0)));
    let held = (a.ready().await, b.ready().await);
    assert_ne!(held.0, held.1);
    sleep(TTL * 10).await;
    assert_eq!((a.ready().await, b.ready().await), held);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_was_given_back_is_leased_again_at_once() {
    let store = store().await;
    let a = Node::start(store.clone(), clock(0));
    let number = a.ready().await;
    let id = a.id(a.ids.now_ms().unwrap()).await.unwrap();
    a.stop.cancel();
    a.keeper.await.unwrap();
    assert_eq!(a.ids.server_id(), None);
    sleep(Duration::from_millis(2)).await;
    let b = Node::start(store, clock(0));
    assert_eq!(b.ready().await, number);
    assert!(b.id(b.ids.now_ms().unwrap()).await.unwrap() > id);
}

#[tokio::test(start_paused = true)]
async fn without_store_no_ids_are_made_after_two_thirds_of_the_lease_and_the_same_number_returns_with_it() {
    let store = store().await;
    let node = Node::start(store.clone(), clock(0));
    let number = node.ready().await;
    store.set_down(true);
    sleep(TTL * 2 / 3).await;
    assert_eq!(node.ids.server_id(), None);
    assert_eq!(node.ids.now_ms(), Err(IdError::NoLease));
    sleep(TTL * 3).await;
    assert_eq!(*node.ids.watch().borrow(), None);
    store.set_down(false);
    assert_eq!(node.ready().await, number);
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_number_was_taken_in_an_outage_leases_another_one() {
    let store = store().await;
    let a = Node::start(store.clone(), clock(0));
    let number = a.ready().await;
    store.set_down(true);
    sleep(TTL * 3).await;
    let b = Node::start(store.behind(), clock(0));
    assert_eq!(b.ready().await, number);
    store.set_down(false);
    assert_ne!(a.ready().await, number);
}

#[tokio::test(start_paused = true)]
async fn ids_have_the_time_of_the_store_when_the_machines_clock_is_an_hour_ahead() {
    let store = store().await;
    let node = Node::start(store, clock(3_600_000));
    node.ready().await;
    sleep(Duration::from_secs(5)).await;
    let now_ms = node.ids.now_ms().unwrap();
    assert!((START_MS + 5_000..START_MS + 5_100).contains(&now_ms), "{now_ms}");
    let time = node.ids.store_time().unwrap();
    assert_eq!((time.skew_ms(), time.is_tolerable()), (3_600_000, false));
}

#[tokio::test(start_paused = true)]
async fn a_channel_far_ahead_gets_ids_once_the_store_knows_of_it_and_the_next_holder_starts_after_them() {
    let store = store().await;
    let a = Node::start(store.clone(), clock(0));
    let number = a.ready().await;
    let ahead_ms = START_MS + 600_000;
    let id = a.id(ahead_ms).await.unwrap();
    assert_eq!(id.timestamp_ms(), ahead_ms);
    a.stop.cancel();
    a.keeper.await.unwrap();
    let b = Node::start(store.clone(), clock(0));
    assert_ne!(b.ready().await, number, "its ids are used beyond now");
    sleep(Duration::from_secs(601)).await;
    let c = Node::start(store, clock(0));
    assert_eq!(c.ready().await, number);
    assert!(c.id(ahead_ms).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_at_the_start_is_waited_for() {
    let store = store().await;
    store.set_down(true);
    let node = Node::start(store.clone(), Arc::new(Manual::at(START_MS)));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(node.ids.server_id(), None);
    store.set_down(false);
    node.ready().await;
}

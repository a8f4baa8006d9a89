use super::*;
use crate::clock::System;
use crate::groups::{Concerned, GroupKind, GroupSettings};
use crate::metrics::Metrics;
use crate::store::bucket::BucketLength;
use crate::store::embedded::Embedded;
use crate::store::faulty::Faulty;
use crate::store::{GroupStore, RoleWrite, Written};

const GROUP: GroupId = GroupId(9);
const ANY: AccessVersion = AccessVersion(0);

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

/// A store with a group in which Bob is a member, and what is known of it.
async fn fixture() -> (Arc<Faulty>, Views, Lookups) {
    let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
    store.prepare("Official").await.unwrap();
    let store = Faulty::new(Arc::new(store));
    let kind = GroupKind::Private { owner: user("ada") };
    store.create_group(GROUP, &kind, &GroupSettings::default()).await.unwrap();
    put(&store, Some(Role::Member)).await;
    let metrics = Metrics::new().unwrap();
    let lookups = Lookups { hits: metrics.view_hits.clone(), misses: metrics.view_misses.clone() };
    (store.clone(), Views::new(store, lookups.clone(), Posting::Everyone), lookups)
}

/// Gives Bob another role without saying so.
async fn put(store: &Faulty, role: Option<Role>) {
    let over = store.seat(GROUP, &user("bob")).await.unwrap().revision;
    let write = RoleWrite { user: user("bob"), role, over, since_ms: 0 };
    assert_eq!(store.set_role(GROUP, &write).await, Ok(Written::Yes));
}

async fn role(views: &Views, id: &str) -> Option<Role> {
    let known = views.group(GROUP, ANY, &[user(id)]).await.unwrap().unwrap();
    known.rows[0]
}

#[tokio::test(start_paused = true)]
async fn who_asks_at_the_same_time_waits_for_the_same_reading() {
    let (store, views, lookups) = fixture().await;
    store.hold_answers_of_groups(true);
    let asking = (0..100).map(|_| {
        let views = views.clone();
        tokio::spawn(async move { role(&views, "bob").await })
    });
    let asking: Vec<_> = asking.collect();
    sleep(Duration::from_millis(50)).await;
    store.hold_answers_of_groups(false);
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Some(Role::Member));
    }
    assert_eq!(store.reads_of_groups(), 1);
    let misses = lookups.misses.get();
    assert_eq!(role(&views, "bob").await, Some(Role::Member));
    assert_eq!((lookups.hits.get(), lookups.misses.get()), (1, misses));
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_everybody_gave_up_on_is_begun_anew() {
    let (store, views, _) = fixture().await;
    store.hold_answers_of_groups(true);
    let asking = views.group(GROUP, ANY, &[]);
    assert!(tokio::time::timeout(Duration::from_secs(1), asking).await.is_err());
    store.hold_answers_of_groups(false);
    assert_eq!(role(&views, "bob").await, Some(Role::Member));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_shows_less_than_was_heard_of_is_asked_again_and_then_unavailable() {
    let (store, views, _) = fixture().await;
    let answer = views.group(GROUP, AccessVersion(99), &[]).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert_eq!(store.reads_of_groups(), ATTEMPTS);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_changes_faster_than_it_can_be_read_is_read_all_the_same() {
    let (store, views, _) = fixture().await;
    store.slow_answers_of_groups(20);
    let changing = tokio::spawn({
        let (store, views) = (store.clone(), views.clone());
        async move {
            loop {
                let version = store.bump(GROUP, &Concerned::Everyone).await.unwrap().unwrap();
                views.heard(GROUP, version);
                sleep(Duration::from_millis(5)).await;
            }
        }
    });
    for _ in 0..5 {
        let now = store.behind().group(GROUP).await.unwrap().unwrap().version;
        let known = views.group(GROUP, now, &[user("bob"), user("eve")]).await.unwrap().unwrap();
        assert!(known.view.version() >= now);
        assert_eq!(known.rows, [Some(Role::Member), None]);
    }
    put(&store, None).await;
    assert_eq!(role(&views, "bob").await, None, "it is never older than the question");
    changing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_row_whose_change_was_never_announced_is_found_after_a_minute() {
    let (store, views, _) = fixture().await;
    assert_eq!(role(&views, "bob").await, Some(Role::Member));
    put(&store, None).await;
    assert_eq!(role(&views, "bob").await, Some(Role::Member), "believed");
    sleep(LIFE).await;
    assert_eq!(role(&views, "bob").await, None);
}

#[tokio::test(start_paused = true)]
async fn it_is_found_after_ten_minutes_where_the_version_is_seen_to_stay() {
    let (store, views, _) = fixture().await;
    assert_eq!(role(&views, "bob").await, Some(Role::Member));
    put(&store, None).await;
    for _ in 0..20 {
        assert_eq!(role(&views, "bob").await, Some(Role::Member), "believed");
        sleep(LIFE_MAX / 20).await;
        views.seen(GROUP, AccessVersion(1), now());
    }
    assert_eq!(role(&views, "bob").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_to_the_broker_makes_every_version_be_asked_for_again() {
    let (store, views, _) = fixture().await;
    assert_eq!(role(&views, "bob").await, Some(Role::Member));
    put(&store, None).await;
    store.bump(GROUP, &Concerned::User(user("bob"))).await.unwrap();
    views.flush();
    assert_eq!(role(&views, "bob").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_gone_is_gone() {
    let (store, views, _) = fixture().await;
    assert_eq!(role(&views, "bob").await, Some(Role::Member));
    store.delete_group(GROUP).await.unwrap();
    views.heard(GROUP, AccessVersion(99));
    assert_eq!(views.group(GROUP, ANY, &[]).await, Ok(None));
}

//! The log on a real store in memory, with faults; in paused time.

use std::sync::Arc;
use std::sync::Mutex as StdMutex;

use tokio_util::sync::CancellationToken;

use super::batch::tests::draft;
use super::*;
use crate::clock::System;
use crate::error::ErrorCode;
use crate::groups::Concerned;
use crate::ids::{GroupId, lease};
use crate::store::bucket::BucketLength;
use crate::store::embedded::Embedded;
use crate::store::faulty::Faulty;
use crate::store::{ChannelStore, GroupStore, LogStore, Reserve};

const OFFICIAL: ChannelId = ChannelId::OFFICIAL;

async fn store() -> Arc<Faulty> {
    let store = Embedded::in_memory(BucketLength::default(), Arc::new(System)).unwrap();
    store.prepare("Official").await.unwrap();
    Faulty::new(Arc::new(store))
}

async fn ids(store: &Arc<Faulty>) -> Ids {
    let (ids, _) = lease::spawn(store.clone(), Arc::new(System), "n1".to_owned(), CancellationToken::new());
    ids.watch().wait_for(Option::is_some).await.unwrap();
    ids
}

/// Lets everybody but mallory through, and remembers what it was told.
#[derive(Clone, Default)]
struct Guarding {
    told: Arc<StdMutex<Vec<u64>>>,
    asked: Arc<StdMutex<Vec<(String, AccessVersion)>>>,
}

#[async_trait]
impl Guard for Guarding {
    async fn check(
        &self,
        _: ChannelId,
        drafts: &[&Draft],
        access: AccessVersion,
    ) -> Vec<Result<(), AppendError>> {
        let mut asked = self.asked.lock().unwrap();
        asked.extend(drafts.iter().map(|draft| (draft.author.name.clone(), access)));
        let no = || AppendError::Refused(Problem::new(ErrorCode::Forbidden, "not mallory"));
        drafts.iter().map(|draft| if draft.author.name == "mallory" { Err(no()) } else { Ok(()) }).collect()
    }

    fn stored(&self, entries: Vec<Entry>) {
        self.told.lock().unwrap().extend(entries.iter().map(|entry| entry.position().0));
    }
}

async fn log(store: &Arc<Faulty>) -> Log {
    Log::new(store.clone(), ids(store).await, Guarding::default())
}

async fn send(log: &Log, nonce: &str) -> Result<Appended, AppendError> {
    log.append(OFFICIAL, vec![draft("ada", nonce)]).await.map(|mut done| done.remove(0))
}

async fn shape(log: &Log) -> String {
    let entries = log.range(OFFICIAL, Position(0), RANGE_LIMIT).await.unwrap();
    let positions: Vec<_> = entries.iter().map(|entry| entry.position().0).collect();
    assert_eq!(positions, (1..=entries.len() as u64).collect::<Vec<_>>());
    let nonce = |entry: &Entry| match entry {
        Entry::Message(message) => message.nonce.clone(),
        Entry::Change(_) => "change".to_owned(),
        Entry::Void { .. } => "-".to_owned(),
    };
    entries.iter().map(nonce).collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_repeated_send_gets_the_first_message_and_leaves_a_void() {
    let log = log(&store().await).await;
    let Appended::New(first) = send(&log, "a").await.unwrap() else { panic!("not new") };
    assert_eq!(send(&log, "a").await, Ok(Appended::Known(first)));
    send(&log, "b").await.unwrap();
    assert_eq!(shape(&log).await, "a - b");
}

#[tokio::test(start_paused = true)]
async fn two_drafts_with_one_nonce_in_one_append_are_one_message() {
    let log = log(&store().await).await;
    let done =
        log.append(OFFICIAL, vec![draft("ada", "a"), draft("ada", "a"), draft("bob", "a")]).await.unwrap();
    assert_eq!(done[0].place(), done[1].place());
    assert!(matches!(done[1], Appended::Known(_)) && matches!(done[2], Appended::New(_)));
}

#[tokio::test(start_paused = true)]
async fn a_send_whose_answer_was_lost_is_found_again_by_its_nonce() {
    let store = store().await;
    let log = log(&store).await;
    store.lose_answers_of_inserts(1);
    assert!(matches!(send(&log, "a").await, Err(AppendError::Store(StoreError::Unavailable(_)))));
    assert!(matches!(send(&log, "a").await, Ok(Appended::Known(message)) if message.position == Position(1)));
    assert_eq!(shape(&log).await, "a -");
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_dies_between_reserve_and_insert_leaves_a_hole_that_a_reader_seals() {
    let store = store().await;
    let log = log(&store).await;
    store.lose_inserts(1);
    send(&log, "a").await.unwrap_err();
    send(&log, "a").await.unwrap();
    assert_eq!(shape(&log).await, "- a");
}

#[tokio::test(start_paused = true)]
async fn a_hole_at_the_end_is_not_touched_until_something_follows_it() {
    let store = store().await;
    let log = log(&store).await;
    send(&log, "a").await.unwrap();
    store.reserve(OFFICIAL, Reserve { count: 3, last_message: 3 }, 0).await.unwrap();
    assert_eq!(shape(&log).await, "a");
    send(&log, "b").await.unwrap();
    assert_eq!(shape(&log).await, "a - - - b");
}

#[tokio::test(start_paused = true)]
async fn a_reader_waits_a_moment_for_a_writer_that_is_only_slow() {
    let store = store().await;
    let log = log(&store).await;
    let reserved = store.reserve(OFFICIAL, Reserve { count: 1, last_message: 1 }, 0).await.unwrap();
    send(&log, "late").await.unwrap();
    let reader = tokio::spawn({
        let log = log.clone();
        async move { shape(&log).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let mut entry = store.entries_after(OFFICIAL, Position(1), 1).await.unwrap().remove(0);
    if let Entry::Message(message) = &mut entry {
        message.position = reserved.first;
        message.id = MessageId(message.id.0 - 1);
        message.nonce = "slow".to_owned();
    }
    store.insert(&[entry]).await.unwrap();
    assert_eq!(reader.await.unwrap(), "slow late");
}

#[tokio::test(start_paused = true)]
async fn many_senders_at_once_are_joined_and_all_get_their_own_message() {
    let log = log(&store().await).await;
    let sends = (0..500).map(|n| {
        let log = log.clone();
        tokio::spawn(async move { (n, send(&log, &n.to_string()).await.unwrap()) })
    });
    for send in futures::future::join_all(sends).await {
        let (n, Appended::New(message)) = send.unwrap() else { panic!("not new") };
        assert_eq!(message.nonce, n.to_string());
    }
    assert_eq!(shape(&log).await.split(' ').filter(|nonce| *nonce != "-").count(), 500);
}

#[tokio::test(start_paused = true)]
async fn the_guard_is_told_every_position_once_in_order() {
    let store = store().await;
    let guard = Guarding::default();
    let log = Log::new(store.clone(), ids(&store).await, guard.clone());
    let sends = (0..200).map(|n| {
        let (log, nonce) = (log.clone(), (n % 150).to_string());
        tokio::spawn(async move { send(&log, &nonce).await.unwrap() })
    });
    futures::future::join_all(sends).await;
    assert_eq!(*guard.told.lock().unwrap(), (1..=200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn who_may_no_more_when_the_position_is_reserved_leaves_a_void_and_the_others_go_on() {
    let store = store().await;
    let access = store.bump(GroupId::OFFICIAL, &Concerned::Everyone).await.unwrap().unwrap();
    let guard = Guarding::default();
    let log = Log::new(store.clone(), ids(&store).await, guard.clone());
    let newer = Draft { checked: access, ..draft("bob", "b") };
    let sends =
        [draft("ada", "a"), draft("mallory", "m"), newer].map(|draft| log.append(OFFICIAL, vec![draft]));
    let done: Vec<_> = futures::future::join_all(sends).await;
    assert!(matches!(&done[1], Err(AppendError::Refused(problem)) if problem.code == ErrorCode::Forbidden));
    assert!(done[0].is_ok() && done[2].is_ok());
    let asked = ["ada", "mallory"].map(|name| (name.to_owned(), access));
    assert_eq!(*guard.asked.lock().unwrap(), asked);
    assert_eq!(shape(&log).await, "a - b");
    assert_eq!(store.entries_after(OFFICIAL, Position(0), 1).await.unwrap()[0].access(), access);
}

#[tokio::test(start_paused = true)]
async fn too_much_is_refused_before_anything_is_stored() {
    let store = store().await;
    let log = log(&store).await;
    let drafts: Vec<_> = (0..=BATCH).map(|n| draft("ada", &n.to_string())).collect();
    assert_eq!(log.append(OFFICIAL, drafts).await, Err(AppendError::TooMany));
    let sends = (0..2_000).map(|n| {
        let log = log.clone();
        tokio::spawn(async move { send(&log, &n.to_string()).await })
    });
    let done: Vec<_> = futures::future::join_all(sends).await.into_iter().map(Result::unwrap).collect();
    let stored = done.iter().filter(|done| done.is_ok()).count();
    assert!(done.iter().all(|done| done.is_ok() || *done == Err(AppendError::Busy)));
    assert!((1_024..2_000).contains(&stored), "{stored}");
}

#[tokio::test(start_paused = true)]
async fn without_server_id_nothing_is_reserved() {
    let store = store().await;
    let log = log(&store).await;
    store.set_down(true);
    tokio::time::sleep(lease::TTL).await;
    assert_eq!(send(&log, "a").await, Err(AppendError::Ids(IdError::NoLease)));
    store.set_down(false);
    assert_eq!(store.channel(OFFICIAL).await.unwrap().unwrap().head, Position(0));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_channel_is_refused() {
    let log = log(&store().await).await;
    let refused = log.append(ChannelId(42), vec![draft("ada", "a")]).await;
    assert!(matches!(refused, Err(AppendError::Store(StoreError::Refused(_)))), "{refused:?}");
}

//! What only RabbitMQ can do, and go through.

use std::sync::Arc;
use std::time::Duration;

use chat_node::bus::{Audience, Bus, Received};
use chat_node::ids::UserId;
use chat_node::metrics::Metrics;
use crds::QueueType;
use crds::node::Dependency;

use super::support::broker::{self, Broker};
use super::support::conformance::{self, End, Listens};
use super::support::proxy::Proxy;

async fn connects_and_hears_itself(end: &mut End) {
    end.connected().await;
    let envelope = conformance::to_everyone(1);
    end.tell_everyone(&envelope);
    assert_eq!(end.envelope().await, envelope);
}

#[tokio::test]
async fn a_missing_exchange_is_named_and_the_node_connects_once_it_is_there() {
    let Some(broker) = Broker::without_exchanges(2).await else { return };
    let mut end = broker.start("one");
    let reason = broker::reason_with(&*end.bus, "missing").await;
    assert!(reason.contains(&broker.cluster.prefix()), "{reason}");

    broker.declare().await;
    connects_and_hears_itself(&mut end).await;
    broker.delete().await;
}

#[tokio::test]
async fn an_exchange_that_was_deleted_and_made_again_is_bound_again() {
    let Some(broker) = Broker::declared(2).await else { return };
    let mut end = broker.connected("one").await;
    broker.delete().await;
    broker.declare().await;
    // Nothing tells the node but the silence after its own probe.
    connects_and_hears_itself(&mut end).await;
    broker.delete().await;
}

#[tokio::test]
async fn every_connection_has_a_queue_of_its_own_and_a_cut_one_is_followed_by_another() {
    let Some(broker) = Broker::declared(2).await else { return };
    let proxy = Proxy::to(broker.address()).await;
    let (bus, mut received) = broker.start_itself("one", |credentials| proxy.replace(credentials));
    let mut names = Vec::new();
    for _ in 0..2 {
        while received.recv().await.unwrap() != Received::Connected {}
        names.extend(bus.queue());
        proxy.cut();
    }
    assert!(names[0] != names[1] && names.iter().all(|name| name.starts_with("srv.one.")), "{names:?}");
    broker.delete().await;
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_left_and_found_again() {
    let Some(broker) = Broker::declared(2).await else { return };
    let proxy = Proxy::to(broker.address()).await;
    let (bus, mut received) = broker.start_itself("one", |credentials| proxy.replace(credentials));
    while received.recv().await.unwrap() != Received::Connected {}
    proxy.hold(true);
    bus.publish(&conformance::to_everyone(1), Audience::Everyone);
    broker::reason_with(&bus, "took longer than").await;
    proxy.hold(false);
    while received.recv().await.unwrap() != Received::Connected {}
    broker.delete().await;
}

#[tokio::test]
async fn users_who_came_while_the_broker_was_away_are_reached_after_the_connection() {
    let Some(broker) = Broker::without_exchanges(2).await else { return };
    let mut end = broker.start("one");
    let users = ["ada", "bob"].map(|id| id.parse().unwrap());
    end.bus.attach(&users[0]);
    broker.declare().await;
    end.connected().await;
    let envelope = conformance::to_everyone(1);
    end.bus.publish(&envelope, Audience::Users(&users));
    assert_eq!(end.envelope().await, envelope);
    broker.delete().await;
}

#[tokio::test]
async fn a_wrong_password_is_a_reason_without_the_password() {
    let Some(broker) = Broker::without_exchanges(1).await else { return };
    let end = broker.start_with("one", |credentials| credentials.password = "not-the-password".to_owned());
    let reason = broker::reason_with(&*end.bus, "connecting failed").await;
    assert!(!reason.contains("not-the-password"), "{reason}");
}

#[tokio::test]
async fn nobody_there_is_a_reason_and_publishing_does_not_wait() {
    let Some(broker) = Broker::without_exchanges(1).await else { return };
    let end = broker.start_with("one", |credentials| credentials.port = 1);
    broker::reason_with(&*end.bus, "connecting").await;
    end.bus.publish(&conformance::to_everyone(1), Audience::Everyone);
    assert_ne!(end.bus.health(), Dependency::Reachable);
    assert!(end.bus.epochs().is_empty());
}

#[tokio::test]
async fn what_was_published_arrives_although_the_node_leaves_at_once_and_nothing_stays_bound() {
    let Some(broker) = Broker::declared(4).await else { return };
    let (one, mut two) = (broker.connected("one").await, broker.connected("two").await);
    let ada: UserId = "ada".parse().unwrap();
    one.bus.attach(&ada);
    one.bus.attach(&"bob".parse().unwrap());
    (1..=500).for_each(|number| one.tell_everyone(&conformance::to_everyone(number)));
    one.bus.leave().await;
    assert_ne!(one.bus.health(), Dependency::Reachable);
    for number in 1..=500 {
        assert_eq!(conformance::number_of(&two.envelope().await), number);
    }
    two.bus.leave().await;
    broker.delete_unused().await;
}

#[tokio::test]
async fn the_queue_of_an_earlier_connection_is_deleted_by_the_next() {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let Some(broker) = Broker::declared(2).await else { return };
        let broker = broker.with_queues(kind);
        let proxy = Proxy::to(broker.address()).await;
        let (bus, mut received) = broker.start_itself("one", |credentials| proxy.replace(credentials));
        while received.recv().await.unwrap() != Received::Connected {}
        let first = bus.queue().unwrap();
        assert!(broker.has_queue(&first).await);
        proxy.cut();
        while received.recv().await.unwrap() != Received::Connected {}
        gone(&broker, &first).await;
        broker.delete().await;
    }
}

async fn gone(broker: &Broker, queue: &str) {
    for _ in 0..200 {
        if !broker.has_queue(queue).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{queue} is still there");
}

#[tokio::test]
async fn a_queue_that_is_not_read_keeps_to_its_bytes_and_drops_the_oldest() {
    let Some(mut broker) = Broker::declared(1).await else { return };
    broker.queue.max_bytes = 1024 * 1024;
    for _ in 0..5 {
        if let Some(kept) = kept_of_64_when_unread(&broker).await {
            assert!(kept < 17, "{kept} of 64 KiB were kept in 1 MiB");
            return broker.delete().await;
        }
    }
    panic!("every time the reader that does not read was given up before all was sent to it");
}

/// How many of 64 messages of 64 KiB come to who does not read meanwhile. `None` if that took the sender so long that
/// the reader was taken for deaf, and got another queue.
async fn kept_of_64_when_unread(broker: &Broker) -> Option<u32> {
    let mut one = broker.connected("one").await;
    let (two, mut received) = broker.start_itself("two", |_| {});
    while received.recv().await.unwrap() != Received::Connected {}
    let queue = two.queue();
    // What the second node takes without being read: the channel between, and what the broker sends ahead.
    let ahead = chat_node::bus::RECEIVED_MAX as u64 + 2_000;
    let large = conformance::with_content(&"x".repeat(64 * 1024), ahead + 1);
    for number in 1..=ahead {
        one.tell_everyone(&conformance::to_everyone(number));
        if number % 200 == 0 {
            // What the first one has heard of itself is in the queue of the second one too, and none was left out.
            while conformance::number_of(&one.envelope().await) != number {}
        }
    }
    for _ in 0..64 {
        one.tell_everyone(&large);
    }
    one.bus.leave().await;
    let last = conformance::to_everyone(ahead + 2);
    let three = broker.connected("three").await;
    three.tell_everyone(&last);
    if two.queue() != queue {
        return None;
    }
    let mut kept = 0;
    loop {
        match received.recv().await.unwrap() {
            Received::Envelope(envelope) if envelope == last => return Some(kept),
            Received::Envelope(envelope) => kept += u32::from(envelope == large),
            Received::Connected => return None,
            Received::Listening(_) => {}
        }
    }
}

#[tokio::test]
async fn an_envelope_of_another_version_is_counted_and_those_behind_it_come() {
    let Some(broker) = Broker::declared(1).await else { return };
    let metrics = Arc::new(Metrics::new().unwrap());
    let (bus, received) = broker.start_counted("one", &metrics, |_| {});
    let mut end = End { bus: Arc::new(bus), received, listens: Listens::Later };
    end.connected().await;
    for bytes in [&br#"{"v":2,"kind":"from the future"}"#[..], b"\xff"] {
        broker.publish(bytes).await;
    }
    let last = conformance::to_everyone(1);
    end.tell_everyone(&last);
    assert_eq!(end.envelope().await, last);
    assert_eq!(metrics.unreadable.get(), 2);
    broker.delete().await;
}

#[tokio::test]
async fn ten_thousand_users_are_bound_again_after_a_cut() {
    let Some(broker) = Broker::declared(16).await else { return };
    let proxy = Proxy::to(broker.address()).await;
    let (bus, mut received) = broker.start_itself("one", |credentials| proxy.replace(credentials));
    (0..10_000).for_each(|number| bus.attach(&format!("user-{number}").parse().unwrap()));
    for nth in 0..3 {
        let begun = tokio::time::Instant::now();
        let connected = async { while received.recv().await.unwrap() != Received::Connected {} };
        tokio::time::timeout(Duration::from_secs(120), connected).await.expect("never bound again");
        println!("10,000 users bound after {:?} (connection {nth})", begun.elapsed());
        proxy.cut();
    }
    broker.delete().await;
}

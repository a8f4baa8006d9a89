//! The same bodies on every bus, and what only RabbitMQ can do.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use chat_node::bus::in_process::InProcessBroker;
use crds::{RoutingMode, TopologyPlan};

mod support;

use support::broker::{self, Broker};
use support::conformance::{self, End};

fn in_process(mode: RoutingMode) -> [End; 2] {
    let broker = InProcessBroker::with(TopologyPlan { epoch: 1, partitions: 4, routing: mode });
    [(); 2].map(|()| {
        let (bus, received) = broker.join();
        End { bus: Box::new(bus), received }
    })
}

/// The bodies over one way to route.
macro_rules! routed {
    ($module:ident, $mode:ident, [$($body:ident),* $(,)?]) => {
        mod $module {
            mod in_process {
                $(#[tokio::test]
                async fn $body() {
                    crate::conformance::$body(crate::in_process(crds::RoutingMode::$mode)).await;
                })*
            }

            mod rabbitmq_classic {
                $(#[tokio::test]
                async fn $body() {
                    let Some(broker) = crate::Broker::routed(crds::RoutingMode::$mode, 4).await else { return };
                    crate::conformance::$body(crate::two(&broker).await).await;
                    broker.delete().await;
                })*
            }

            mod rabbitmq_quorum {
                $(#[tokio::test]
                async fn $body() {
                    let Some(broker) = crate::Broker::routed(crds::RoutingMode::$mode, 4).await else { return };
                    let broker = broker.with_queues(crds::QueueType::Quorum);
                    crate::conformance::$body(crate::two(&broker).await).await;
                    broker.delete().await;
                })*
            }
        }
    };
}

macro_rules! conformance {
    ($($body:ident),* $(,)?) => {
        routed!(by_user, User, [$($body),*]);
        routed!(by_channel, Channel, [$($body),*]);
        routed!(fixed, Static, [$($body),*]);
    };
}

conformance! {
    what_is_for_everyone_reaches_every_node_in_order,
    what_is_for_users_reaches_their_nodes,
    what_is_for_a_channel_reaches_its_followers_nodes,
    a_user_is_reached_until_the_last_connection_is_gone,
    a_channel_is_reached_until_its_last_follower_is_gone,
}

async fn two(broker: &Broker) -> [End; 2] {
    [broker.connected("one").await, broker.connected("two").await]
}

mod rabbitmq_only {
    use super::support::proxy::Proxy;
    use super::{Broker, broker, conformance};
    use chat_node::bus::{Audience, Bus, Received};
    use crds::node::Dependency;

    #[tokio::test]
    async fn a_missing_exchange_is_named_and_the_node_connects_once_it_is_there() {
        let Some(broker) = Broker::without_exchanges(2).await else { return };
        let mut end = broker.start("one");
        let reason = broker::reason_with(&*end.bus, "missing").await;
        assert!(reason.contains(&broker.cluster.prefix()), "{reason}");

        broker.declare().await;
        end.connected().await;
        let envelope = conformance::to_everyone(1);
        end.tell_everyone(&envelope);
        assert_eq!(end.envelope().await, envelope);
        broker.delete().await;
    }

    #[tokio::test]
    async fn an_exchange_that_was_deleted_and_made_again_is_bound_again() {
        let Some(broker) = Broker::declared(2).await else { return };
        let mut end = broker.connected("one").await;
        broker.delete().await;
        broker.declare().await;
        // Nothing tells the node but the silence after its own probe.
        end.connected().await;
        let envelope = conformance::to_everyone(1);
        end.tell_everyone(&envelope);
        assert_eq!(end.envelope().await, envelope);
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
        let end =
            broker.start_with("one", |credentials| credentials.password = "not-the-password".to_owned());
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
}

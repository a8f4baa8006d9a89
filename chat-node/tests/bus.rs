//! The same bodies on every bus, and what only RabbitMQ can do.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use chat_node::bus::in_process::InProcessBroker;

mod support;

use support::broker::{self, Broker};
use support::conformance::{self, End};

fn in_process() -> [End; 2] {
    let broker = InProcessBroker::default();
    [(); 2].map(|()| {
        let (bus, received) = broker.join();
        End { bus: Box::new(bus), received }
    })
}

macro_rules! conformance {
    ($($body:ident),* $(,)?) => {
        mod in_process_bus {
            $(#[tokio::test]
            async fn $body() {
                super::conformance::$body(super::in_process()).await;
            })*
        }

        mod rabbitmq {
            $(#[tokio::test]
            async fn $body() {
                let Some(broker) = super::Broker::declared(4).await else { return };
                let ends = [broker.connected("one").await, broker.connected("two").await];
                super::conformance::$body(ends).await;
                broker.delete().await;
            })*
        }
    };
}

conformance! {
    what_is_for_everyone_reaches_every_node_in_order,
    what_is_for_users_reaches_only_their_nodes,
    a_user_is_reached_until_the_last_connection_is_gone,
}

mod rabbitmq_only {
    use super::support::proxy::Proxy;
    use super::{Broker, broker, conformance};
    use chat_node::bus::{Bus, Received};
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
        end.bus.publish(&envelope);
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
        end.bus.publish(&envelope);
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
        bus.publish(&conformance::to_everyone(1));
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
        let envelope = conformance::to_users(&users);
        end.bus.publish(&envelope);
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
        end.bus.publish(&conformance::to_everyone(1));
        assert_ne!(end.bus.health(), Dependency::Reachable);
        assert!(end.bus.epochs().is_empty());
    }
}

//! The same bodies on every bus, and what only RabbitMQ can do.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use chat_node::bus::in_process::InProcessBroker;
use crds::{RoutingMode, TopologyPlan};

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod rabbitmq;
mod repartition;

use support::broker::Broker;
use support::conformance::{self, End, Listens};

fn in_process(mode: RoutingMode) -> [End; 2] {
    let broker = InProcessBroker::with(TopologyPlan { epoch: 1, partitions: 4, routing: mode });
    [(); 2].map(|()| {
        let (bus, received) = broker.join();
        End { bus: Arc::new(bus), received, listens: Listens::AtOnce }
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

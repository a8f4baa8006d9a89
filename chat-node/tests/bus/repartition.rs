//! Changing the partitions, and even the routing, while messages flow.

use std::sync::Arc;

use chat_node::bus::Received;
use chat_node::bus::in_process::InProcessBroker;
use crds::RoutingMode::{Channel, Static, User};
use crds::{QueueType, RoutingMode, TopologyOrder, TopologyPlan};

use super::support::broker::{self, Broker, wait_until};
use super::support::conformance::{self, End, Listens};
use super::support::proxy::Proxy;
use super::support::repartition::{self, Talk};

const CHANGES: [(RoutingMode, RoutingMode); 5] =
    [(User, User), (Channel, Channel), (Static, Static), (User, Channel), (Static, User)];

fn plans((from, to): (RoutingMode, RoutingMode)) -> [TopologyPlan; 2] {
    [
        TopologyPlan { epoch: 1, partitions: 4, routing: from },
        TopologyPlan { epoch: 2, partitions: 7, routing: to },
    ]
}

#[tokio::test]
async fn messages_arrive_once_while_the_partitions_change_in_process() {
    for change in CHANGES {
        let [from, to] = plans(change);
        let broker = InProcessBroker::with(from);
        let ends = [(); 2].map(|()| {
            let (bus, received) = broker.join();
            End { bus: Arc::new(bus), received, listens: Listens::AtOnce }
        });
        let mut talk = Talk::begin(ends).await;
        repartition::change(&mut talk, from, to).await;
        talk.end().await;
    }
}

async fn over_rabbitmq(change: (RoutingMode, RoutingMode), kind: QueueType) {
    let [from, to] = plans(change);
    let Some(mut broker) = Broker::routed(from.routing, from.partitions).await else { return };
    broker = broker.with_queues(kind);
    broker.declare_epoch(to).await;
    let mut talk = Talk::begin([broker.connected("one").await, broker.connected("two").await]).await;
    repartition::change(&mut talk, from, to).await;
    broker.delete_unused_epoch(from).await;
    broker.plan = to;
    talk.talk(20).await;
    talk.end().await;
    broker.delete().await;
}

#[tokio::test]
async fn messages_arrive_once_while_the_partitions_change_over_rabbitmq() {
    for change in CHANGES {
        over_rabbitmq(change, QueueType::Classic).await;
    }
}

#[tokio::test]
async fn messages_arrive_once_while_the_partitions_change_over_quorum_queues() {
    over_rabbitmq((User, Channel), QueueType::Quorum).await;
}

#[tokio::test]
async fn a_change_that_is_given_up_loses_nothing() {
    let [from, to] = plans((User, User));
    let Some(broker) = Broker::routed(from.routing, from.partitions).await else { return };
    broker.declare_epoch(to).await;
    let mut talk = Talk::begin([broker.connected("one").await, broker.connected("two").await]).await;
    talk.order(&[from, to], from.epoch).await;
    talk.order(&[from], from.epoch).await;
    broker.delete_unused_epoch(to).await;
    talk.talk(20).await;
    talk.end().await;
    broker.delete().await;
}

#[tokio::test]
async fn a_new_epoch_without_exchanges_leaves_the_old_one_alone_and_is_joined_once_they_are_there() {
    let [from, to] = plans((User, User));
    let Some(broker) = Broker::routed(from.routing, from.partitions).await else { return };
    let (bus, mut received) = broker.start_itself("one", |_| {});
    while received.recv().await.unwrap() != Received::Connected {}
    let (queue, bus) = (bus.queue(), Arc::new(bus));
    let mut one = End { bus: bus.clone(), received, listens: Listens::Later };
    one.bus.order(TopologyOrder { listen: vec![from, to], publish: to.epoch }).unwrap();
    // Users come while the new epoch is tried in vain.
    let [ada, ..] = conformance::users();
    one.attach(&ada).await;
    for number in 1..=100 {
        let audience = [ada.clone()];
        one.bus.publish(&conformance::to_everyone(number), chat_node::bus::Audience::Users(&audience));
        assert_eq!(conformance::number_of(&one.envelope().await), number);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!((one.bus.epochs(), one.bus.publishing()), (vec![1], Some(1)));
    broker::healthy(&*one.bus).await;

    broker.declare_epoch(to).await;
    wait_until(|| one.bus.publishing() == Some(2), || format!("{:?}", one.bus.epochs())).await;
    one.bus.publish(&conformance::to_everyone(101), chat_node::bus::Audience::Users(&[ada]));
    assert_eq!(conformance::number_of(&one.envelope().await), 101);
    assert_eq!(bus.queue(), queue, "it is the connection of the beginning");
    broker.delete().await;
}

#[tokio::test]
async fn a_node_that_connects_again_in_the_middle_of_a_change_binds_the_whole_order() {
    let [from, to] = plans((User, User));
    let Some(broker) = Broker::routed(from.routing, from.partitions).await else { return };
    broker.declare_epoch(to).await;
    let proxy = Proxy::to(broker.address()).await;
    let mut one = broker.start_with("one", |credentials| proxy.replace(credentials));
    one.connected().await;
    one.bus.order(TopologyOrder { listen: vec![from, to], publish: to.epoch }).unwrap();
    wait_until(|| one.bus.publishing() == Some(2), || format!("{:?}", one.bus.epochs())).await;
    proxy.cut();
    one.connected().await;
    assert_eq!(one.bus.publishing(), Some(2));
    wait_until(|| one.bus.epochs() == [2, 1], || format!("{:?}", one.bus.epochs())).await;
    broker::healthy(&*one.bus).await;
    broker.delete().await;
}

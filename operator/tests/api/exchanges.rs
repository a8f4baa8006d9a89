//! The exchanges in the broker.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::ByteString;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use operator::http;
use operator::rabbitmq::{Access, Change, Exchange, Management, Surveys};

use crate::broker::Broker;
use crate::namespace::{Namespace, eventually, spec};

async fn event_reasons(namespace: &Namespace) -> Vec<String> {
    let events = namespace.api::<Event>().list(&ListParams::default()).await.unwrap();
    events.items.into_iter().filter_map(|event| event.reason).collect()
}

#[tokio::test]
async fn a_virtual_host_that_is_too_full_to_read_is_told_and_nothing_is_declared() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    // Forty pages, and one more.
    for number in 0..121 {
        namespace.broker.make(&format!("vt.other.x.1.{number}"), "direct");
    }
    namespace.make("demo", spec()).await;
    assert!(namespace.visit("demo").await.is_ok());
    let (status, _, message) = namespace.condition("demo", "TopologyInSync").await;
    assert!(status == "False" && message.contains("lists more than"), "{status} {message}");
    assert_eq!(namespace.broker.changes(), 0);
}

#[tokio::test]
async fn the_exchanges_are_declared_and_told_once() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    let prefix = format!("vt.{}.demo", namespace.name);
    let wanted = ["1.0", "1.1", "control"].map(|end| format!("{prefix}.{end}"));
    assert_eq!(namespace.broker.names(), wanted);
    let (status, ..) = namespace.condition("demo", "TopologyInSync").await;
    assert_eq!(status, "True");
    assert_eq!(namespace.status("demo").await.topology.unwrap().partitions, 2);
    let reasons = event_reasons(&namespace).await;
    assert_eq!(reasons, ["ExchangesDeclared"], "what a new cluster does not have yet is no news");
}

#[tokio::test]
async fn a_deleted_exchange_comes_back_without_any_change_in_the_cluster() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.run_operator();
    let in_sync = async || namespace.condition("demo", "TopologyInSync").await.0 == "True";
    eventually("the exchanges are declared", in_sync).await;
    let name = format!("vt.{}.demo.1.1", namespace.name);
    namespace.broker.drop_exchange(&name);
    eventually("the exchange is back", async || namespace.broker.names().contains(&name)).await;
}

#[tokio::test]
async fn an_exchange_of_another_type_is_reported_and_stays() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let name = format!("vt.{}.demo.1.0", namespace.name);
    namespace.broker.make(&name, "topic");
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    let (status, reason, message) = namespace.condition("demo", "TopologyInSync").await;
    assert_eq!((status.as_str(), reason.as_str()), ("False", "ExchangeMismatch"));
    assert!(message.contains(&format!("exchange {name}: type is topic, not direct")), "{message}");
    assert_eq!(namespace.broker.names().len(), 3, "the others are declared, and none is deleted");
}

#[tokio::test]
async fn a_broker_that_is_down_stops_neither_its_own_objects_nor_other_clusters() {
    let Some(mut namespace) = Namespace::with_secrets().await else { return };
    // The Secret of `dead` names a broker that is no more.
    std::mem::replace(&mut namespace.broker, Broker::start().await).stop().await;
    namespace.make("dead", spec()).await;
    let Some(other) = Namespace::with_secrets().await else { return };
    other.make("alive", spec()).await;
    namespace.settle("dead").await;
    other.settle("alive").await;
    let (status, reason, message) = namespace.condition("dead", "TopologyInSync").await;
    assert_eq!((status.as_str(), reason.as_str()), ("False", "BrokerUnreachable"));
    assert!(message.contains("cannot be reached"), "{message}");
    assert!(namespace.has::<k8s_openapi::api::apps::v1::Deployment>("dead").await);
    assert_eq!(other.condition("alive", "TopologyInSync").await.0, "True");
}

#[tokio::test]
async fn queues_on_a_broker_node_that_does_not_run_are_deleted_and_no_others() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    let broker = &namespace.broker.state;
    let own = format!("vt.{}.demo.control", namespace.name);
    for (queue, node, exchange) in [
        ("srv.a.c0ffee.1", "rabbit@two", own.as_str()),
        ("srv.b.c0ffee.1", "rabbit@one", own.as_str()),
        ("srv.c.c0ffee.1", "rabbit@two", "vt.other.demo.control"),
        ("mine", "rabbit@two", own.as_str()),
    ] {
        broker.make_queue(queue, node);
        broker.bind(queue, exchange);
    }
    broker.set_node("rabbit@two", true);
    namespace.settle("demo").await;
    assert_eq!(broker.queues().len(), 4);
    broker.set_node("rabbit@two", false);
    for _ in 0..3 {
        namespace.visit("demo").await.unwrap();
    }
    assert_eq!(broker.queues(), ["mine", "srv.b.c0ffee.1", "srv.c.c0ffee.1"]);
    let (status, _, message) = namespace.condition("demo", "TopologyInSync").await;
    assert_eq!(status, "True");
    assert!(message.contains("not running: rabbit@two"), "{message}");
    assert_eq!(namespace.broker.names().len(), 3, "what is tried is taken away again");
}

#[tokio::test]
async fn clusters_on_one_virtual_host_share_one_look_at_it() {
    let broker = Broker::start().await;
    let pairs = [
        ("host", "localhost".to_owned()),
        ("username", "vibe".to_owned()),
        ("password", "talk".to_owned()),
        ("management-uri", format!("http://{}", broker.address)),
    ];
    let data = pairs.map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes()))).into();
    let management = Management::new(http::client().unwrap(), Access::from_secret(&data).unwrap());
    broker.make("vt.chat.a.1.0", "direct");
    let minute = Duration::from_secs(60);
    let surveys = Surveys::new(minute, minute);
    let seen = async |prefix: &'static str| {
        let exchanges = surveys.see(&management, |survey| survey.exchanges(prefix)).await.unwrap();
        exchanges.len()
    };
    assert_eq!(join_all((0..50).map(|_| seen("vt.chat.a."))).await, [1; 50]);
    assert_eq!(broker.lists(), 1);
    surveys.note(&management, Change::Declared(Exchange::durable("vt.chat.a.1.1".to_owned(), "direct")));
    assert_eq!((seen("vt.chat.a.").await, seen("vt.chat.b.").await), (2, 0));
    assert_eq!(broker.lists(), 1, "nobody has to look again for what the operator did itself");
    surveys.doubt(&management);
    assert_eq!((seen("vt.chat.a.").await, broker.lists()), (1, 2));
}

//! The exchanges in the broker.

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;

use crate::broker::Broker;
use crate::namespace::{Namespace, eventually, spec};

async fn event_reasons(namespace: &Namespace) -> Vec<String> {
    let events = namespace.api::<Event>().list(&ListParams::default()).await.unwrap();
    events.items.into_iter().filter_map(|event| event.reason).collect()
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
    assert_eq!(reasons.iter().filter(|reason| *reason == "ExchangesDeclared").count(), 1, "{reasons:?}");
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

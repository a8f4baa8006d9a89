//! The end of a cluster.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, ListParams};
use operator::cluster::RawCluster;

use crate::broker::Broker;
use crate::namespace::{Namespace, eventually, spec};

async fn delete(namespace: &Namespace) {
    namespace.api::<RawCluster>().delete("demo", &DeleteParams::default()).await.unwrap();
}

async fn is_gone(namespace: &Namespace) -> bool {
    !namespace.has::<RawCluster>("demo").await
}

async fn told_of_exchanges_left(namespace: &Namespace) -> bool {
    let events = namespace.api::<Event>().list(&ListParams::default()).await.unwrap();
    events.items.iter().any(|event| event.reason.as_deref() == Some("ExchangesLeft"))
}

#[tokio::test]
async fn deletion_removes_the_clusters_exchanges_and_no_others() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let others = format!("vt.{}.demo.x.1.0", namespace.name);
    namespace.broker.make(&others, "direct");
    namespace.make("demo", spec()).await;
    namespace.run_operator();
    eventually("the exchanges are declared", async || namespace.broker.names().len() == 4).await;
    delete(&namespace).await;
    eventually("it is gone", async || is_gone(&namespace).await).await;
    assert_eq!(namespace.broker.names(), [others]);
}

#[tokio::test]
async fn retained_exchanges_stay() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let mut retain = spec();
    retain["rabbitmq"]["deletionPolicy"] = "Retain".into();
    namespace.make("demo", retain).await;
    namespace.settle("demo").await;
    delete(&namespace).await;
    namespace.visit("demo").await.unwrap();
    assert!(is_gone(&namespace).await);
    assert_eq!(namespace.broker.names().len(), 3);
}

#[tokio::test]
async fn deletion_waits_for_a_broker_that_is_gone_but_not_for_ever() {
    let Some(mut namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    std::mem::replace(&mut namespace.broker, Broker::start().await).stop().await;
    delete(&namespace).await;
    namespace.visit("demo").await.unwrap();
    assert!(!is_gone(&namespace).await);
    assert_eq!(namespace.condition("demo", "Ready").await.1, "Deleting");

    let mut later = namespace.api::<RawCluster>().get("demo").await.unwrap();
    later.metadata.deletion_timestamp = Some(Time(Timestamp::now() - SignedDuration::from_secs(31)));
    namespace.visit_as(later).await.unwrap();
    assert!(is_gone(&namespace).await);
    assert!(told_of_exchanges_left(&namespace).await);
}

#[tokio::test]
async fn deletion_does_not_wait_for_a_secret_that_is_gone() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    namespace.api::<Secret>().delete("mq", &DeleteParams::default()).await.unwrap();
    delete(&namespace).await;
    namespace.visit("demo").await.unwrap();
    assert!(is_gone(&namespace).await);
    assert!(told_of_exchanges_left(&namespace).await);
}

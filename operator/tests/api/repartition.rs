//! Other partitions while the chat nodes serve.

use crds::TopologyStatus;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use crate::chat_nodes::Fleet;
use crate::faults::Faults;
use crate::namespace::{Namespace, eventually, spec};

async fn serving(partitions: u16) -> Option<(Namespace, std::sync::Arc<Fleet>)> {
    let namespace = Namespace::with_secrets().await?;
    let mut spec = spec();
    spec["rabbitmq"]["partitions"] = partitions.into();
    namespace.make("demo", spec).await;
    namespace.settle("demo").await;
    let fleet = Fleet::new(&namespace, "demo", Faults::none());
    Some((namespace, fleet))
}

async fn topology(namespace: &Namespace) -> TopologyStatus {
    namespace.status("demo").await.topology.unwrap()
}

async fn arrives(namespace: &Namespace, partitions: u16) {
    eventually(&format!("{partitions} partitions are used"), async || {
        let topology = topology(namespace).await;
        topology.partitions == partitions && topology.step.is_none() && topology.target.is_none()
    })
    .await;
}

async fn wish(namespace: &Namespace, partitions: u16) {
    namespace.change("demo", json!({ "rabbitmq": { "partitions": partitions } })).await.unwrap();
}

fn partitions_in_broker(namespace: &Namespace) -> usize {
    namespace.broker.names().iter().filter(|name| !name.ends_with("control")).count()
}

#[tokio::test]
async fn four_partitions_become_sixteen_and_six_while_nodes_talk_and_come_and_go() {
    let Some((namespace, fleet)) = serving(4).await else { return };
    let first = fleet.boot(&namespace, "a").await;
    fleet.boot(&namespace, "b").await;
    let template = async || {
        let deployment = namespace.api::<Deployment>().get("demo").await.unwrap();
        serde_json::to_value(deployment.spec.unwrap().template).unwrap()
    };
    let before = template().await;
    namespace.run_operator();
    wish(&namespace, 16).await;
    eventually("the change has begun", async || topology(&namespace).await.step.is_some()).await;
    fleet.boot(&namespace, "c").await;
    arrives(&namespace, 16).await;
    assert_eq!(partitions_in_broker(&namespace), 16);
    wish(&namespace, 6).await;
    eventually("the next change has begun", async || topology(&namespace).await.step.is_some()).await;
    fleet.end(&namespace, &first).await;
    arrives(&namespace, 6).await;
    assert_eq!(partitions_in_broker(&namespace), 6);
    let epoch = topology(&namespace).await.epoch;
    assert!(epoch == 3 && fleet.all_use(epoch));
    let (published, missed, refused) = fleet.counts();
    println!("{published} messages while the partitions changed twice");
    assert!(published > 100 && (missed, refused) == (0, 0), "{published} {missed} {refused}");
    assert_eq!(template().await, before, "no pod is started anew for it");
}

#[tokio::test]
async fn a_silent_node_stalls_the_change_which_can_then_be_given_up_once_it_is_gone() {
    let Some((namespace, fleet)) = serving(2).await else { return };
    fleet.boot(&namespace, "a").await;
    let silent = fleet.boot(&namespace, "b").await;
    eventually("all listen", async || fleet.all_use(1)).await;
    silent.stop();
    namespace.run_operator();
    wish(&namespace, 3).await;
    eventually("the silent node is named", async || {
        let (status, reason, message) = namespace.condition("demo", "TopologyInSync").await;
        status == "False" && reason == "NodeUnreachable" && message.contains("chat node b")
    })
    .await;
    assert_eq!(topology(&namespace).await.epoch, 1);
    wish(&namespace, 2).await;
    eventually("it goes back and waits for the same", async || {
        namespace.condition("demo", "TopologyInSync").await.2.contains("going back to 2 partitions")
    })
    .await;
    assert_eq!(partitions_in_broker(&namespace), 5, "nothing goes that the silent node may use");
    fleet.end(&namespace, &silent).await;
    arrives(&namespace, 2).await;
    eventually("the others are gone", async || partitions_in_broker(&namespace) == 2).await;
    assert_eq!(fleet.counts().1, 0);
}

#[tokio::test]
async fn an_exchange_that_somebody_still_uses_is_not_deleted() {
    let Some((namespace, fleet)) = serving(1).await else { return };
    fleet.boot(&namespace, "a").await;
    let earlier = format!("vt.{}.demo.1.0", namespace.name);
    namespace.broker.state.bind("foreign", &earlier);
    namespace.run_operator();
    wish(&namespace, 2).await;
    eventually("the exchange that is left is named", async || {
        let (_, reason, message) = namespace.condition("demo", "TopologyInSync").await;
        reason == "ExchangeLeft" && message.contains(&earlier)
    })
    .await;
    assert_eq!(namespace.condition("demo", "Progressing").await.1, "PodsNotReady");
    assert!(namespace.broker.names().contains(&earlier));
    namespace.broker.state.unbind("foreign", &earlier);
    arrives(&namespace, 2).await;
    assert!(!namespace.broker.names().contains(&earlier));
}

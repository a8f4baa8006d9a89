//! Resources that cannot become a chat service yet: the condition names the field, and the others go on.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::namespace::{Namespace, eventually, spec};

#[tokio::test]
async fn a_missing_secret_is_named_and_the_cluster_converges_once_it_is_there() {
    let Some(namespace) = Namespace::empty().await else { return };
    namespace.make_secret("db").await;
    namespace.make_secret("auth").await;
    namespace.make("demo", spec()).await;
    namespace.run_operator();
    let topology = async || namespace.condition("demo", "TopologyInSync").await;
    eventually("it is reported", async || topology().await.1 == "SecretMissing").await;
    let (status, _, message) = topology().await;
    assert_eq!(status, "False");
    assert!(message.contains("spec.rabbitmq.secretRef") && message.contains("`mq`"), "{message}");
    assert!(!namespace.has::<Deployment>("demo").await, "its pods could not start");
    namespace.make_secret("mq").await;
    eventually("the exchanges are declared", async || topology().await.0 == "True").await;
    eventually("the Deployment is made", async || namespace.has::<Deployment>("demo").await).await;
}

#[tokio::test]
async fn an_incomplete_secret_is_named_by_its_key() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let patch = json!({ "data": { "uri": null } });
    namespace.api::<Secret>().patch("db", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    let (_, reason, message) = namespace.condition("demo", "StoreReachable").await;
    assert_eq!(reason, "SecretIncomplete");
    assert!(message.contains("spec.mongodb.secretRef: key `uri` of Secret `db`"), "{message}");
}

#[tokio::test]
async fn a_changed_secret_rolls_the_pods() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    let template =
        async || namespace.api::<Deployment>().get("demo").await.unwrap().spec.unwrap().template.metadata;
    let before = template().await;
    let patch = json!({ "stringData": { "uri": "mongodb://elsewhere" } });
    namespace.api::<Secret>().patch("db", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    namespace.settle("demo").await;
    assert_ne!(template().await, before);
}

#[tokio::test]
async fn a_spec_that_no_schema_catches_is_named_by_its_field_and_others_go_on() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let mut bad = spec();
    // One of Kubernetes' own types, whose numbers the schema does not bound.
    let too_much = json!({ "scaleUp": { "stabilizationWindowSeconds": 3_000_000_000_u32 } });
    bad["autoscaling"] = json!({ "maxReplicas": 3, "behavior": too_much });
    namespace.make("bad", bad).await;
    namespace.make("good", spec()).await;
    namespace.run_operator();
    eventually("the good one is made", async || namespace.has::<Deployment>("good").await).await;
    let ready = async || namespace.condition("bad", "Ready").await;
    eventually("the bad one is reported", async || ready().await.1 == "InvalidSpec").await;
    let message = ready().await.2;
    assert!(
        message.starts_with("spec.autoscaling.behavior.scaleUp.stabilizationWindowSeconds: invalid value"),
        "{message}"
    );
    assert!(!namespace.has::<ServiceAccount>("bad").await, "nothing is made from a bad spec");
}

#[tokio::test]
async fn wrong_credentials_are_told_in_the_brokers_words() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let patch = json!({ "stringData": { "password": "wrong" } });
    namespace.api::<Secret>().patch("mq", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    let (status, _, message) = namespace.condition("demo", "TopologyInSync").await;
    assert_eq!(status, "False");
    assert!(message.contains("refused: 401 Unauthorized: Login failed"), "{message}");
    assert!(!message.contains("wrong"), "{message}");
}

#[tokio::test]
async fn a_secret_is_believed_for_a_while_unless_what_it_says_is_refused() {
    let Some(namespace) = Namespace::remembering_secrets_for(Duration::from_secs(600)).await else { return };
    namespace.make_secrets().await;
    let secrets = namespace.api::<Secret>();
    let change = async |name: &str, data: serde_json::Value| {
        let patch = Patch::Merge(json!({ "stringData": data }));
        secrets.patch(name, &PatchParams::default(), &patch).await.unwrap();
    };
    change("mq", json!({ "password": "wrong" })).await;
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    assert_eq!(namespace.condition("demo", "TopologyInSync").await.0, "False");

    change("mq", json!({ "password": "talk" })).await;
    namespace.settle("demo").await;
    assert_eq!(namespace.condition("demo", "TopologyInSync").await.0, "True");

    change("db", json!({ "uri": "mongodb://elsewhere" })).await;
    assert_eq!(namespace.visit("demo").await.unwrap(), 0, "nobody has complained");
}

#[tokio::test]
async fn a_cluster_begins_with_the_secrets_as_they_are() {
    let Some(namespace) = Namespace::remembering_secrets_for(Duration::from_secs(600)).await else { return };
    namespace.make_secrets().await;
    let checksum = async |name: &str| {
        let template = namespace.api::<Deployment>().get(name).await.unwrap().spec.unwrap().template;
        template.metadata.unwrap().annotations.unwrap()["vibetalk.dev/credentials"].clone()
    };
    namespace.make("first", spec()).await;
    namespace.settle("first").await;
    let patch = Patch::Merge(json!({ "stringData": { "uri": "mongodb://elsewhere" } }));
    namespace.api::<Secret>().patch("db", &PatchParams::default(), &patch).await.unwrap();
    namespace.make("second", spec()).await;
    namespace.settle("second").await;
    assert_ne!(checksum("second").await, checksum("first").await);
}

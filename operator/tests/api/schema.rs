//! What the API server itself refuses, and fills in.

use crds::{DeletionPolicy, Duration, VibeTalkCluster};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::namespace::{Namespace, spec};

type Change = fn(&mut Value);

/// A change of a valid spec, and a word that the refusal must say.
const REFUSED: &[(Change, &str)] = &[
    (|spec| spec["rabbitmq"]["partitions"] = 0.into(), "spec.rabbitmq.partitions"),
    (|spec| spec["rabbitmq"]["partitions"] = 257.into(), "spec.rabbitmq.partitions"),
    (|spec| spec["rabitmq"] = json!({}), "unknown field \"spec.rabitmq\""),
    (|spec| spec["replicas"] = (-1).into(), "spec.replicas"),
    (|spec| spec["mongodb"] = Value::Null, "spec.mongodb"),
    (|spec| spec["auth"] = json!({}), "exactly one of secretRef and jwks"),
    (
        |spec| {
            spec["auth"] =
                json!({ "secretRef": { "name": "a" }, "jwks": "https://sso.example/", "audience": "c" })
        },
        "exactly one of secretRef and jwks",
    ),
    (|spec| spec["auth"] = json!({ "jwks": "https://sso.example/keys" }), "jwks needs audience"),
    (
        |spec| spec["auth"] = json!({ "jwks": "http://sso.example/keys", "audience": "chat" }),
        "spec.auth.jwks",
    ),
    (|spec| spec["drain"] = json!({ "window": "soon" }), "spec.drain.window"),
    (
        |spec| spec["autoscaling"] = json!({ "minReplicas": 4, "maxReplicas": 3 }),
        "minReplicas must not be greater",
    ),
    (|spec| spec["exposure"] = json!({ "ingress": { "host": "Not A Host" } }), "spec.exposure.ingress.host"),
    (
        |spec| {
            spec["autoscaling"] = json!({ "maxReplicas": 3 });
            spec.as_object_mut().unwrap().remove("replicas");
        },
        "spec.replicas is required with spec.autoscaling",
    ),
];

#[tokio::test]
async fn a_bad_spec_is_refused_with_the_field() {
    let Some(namespace) = Namespace::empty().await else { return };
    for (change, word) in REFUSED {
        let mut bad = spec();
        change(&mut bad);
        let refused = namespace.try_make("demo", bad).await.expect_err(word);
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[tokio::test]
async fn a_name_that_no_service_can_have_is_refused() {
    let Some(namespace) = Namespace::empty().await else { return };
    for name in ["a.b", "1a", &"a".repeat(64)] {
        let refused = namespace.try_make(name, spec()).await.expect_err(name);
        assert!(refused.to_string().contains("metadata.name is also the name of a Service"), "{refused}");
    }
}

#[tokio::test]
async fn partitions_cannot_be_changed() {
    let Some(namespace) = Namespace::empty().await else { return };
    namespace.make("demo", spec()).await;
    let patch = Patch::Merge(json!({ "spec": { "rabbitmq": { "partitions": 8 } } }));
    let refused =
        namespace.api::<VibeTalkCluster>().patch("demo", &PatchParams::default(), &patch).await.unwrap_err();
    assert!(refused.to_string().contains("partitions cannot be changed"), "{refused}");
}

#[tokio::test]
async fn what_is_left_out_is_filled_in() {
    let Some(namespace) = Namespace::empty().await else { return };
    let secret = |name| json!({ "secretRef": { "name": name } });
    let small = json!({ "rabbitmq": secret("mq"), "mongodb": secret("db"), "auth": secret("auth") });
    namespace.make("demo", small).await;
    let spec = namespace.api::<VibeTalkCluster>().get("demo").await.unwrap().spec;
    assert_eq!(spec.replicas, None, "written by users and autoscalers only");
    assert_eq!(spec.rabbitmq.partitions, 4);
    assert_eq!(spec.rabbitmq.deletion_policy, DeletionPolicy::Delete);
    assert_eq!(spec.mongodb.bucket, Duration::days(10));
    assert_eq!(spec.drain.window, Duration::seconds(20));
    assert_eq!(spec.official_group.name, "Official");
}

#[tokio::test]
async fn the_example_is_accepted() {
    let Some(namespace) = Namespace::empty().await else { return };
    let example: Value = serde_yaml::from_str(include_str!("../../../crds/examples/demo.yaml")).unwrap();
    namespace.make("demo", example["spec"].clone()).await;
}

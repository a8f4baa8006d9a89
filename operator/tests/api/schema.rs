//! What the API server itself refuses, and fills in.

use crds::{DeletionPolicy, Duration, Posting, VibeTalkCluster};
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
    (|spec| drop(spec["rabbitmq"].as_object_mut().unwrap().remove("secretRef")), "where is the broker?"),
    (|spec| spec["rabbitmq"]["clusterRef"] = json!({ "name": "rabbit" }), "where is the broker?"),
    (|spec| spec["rabbitmq"]["routing"] = "Random".into(), "spec.rabbitmq.routing"),
    (|spec| spec["mongodb"]["retention"] = "ever".into(), "spec.mongodb.retention"),
    (|spec| spec["officialGroup"] = json!({ "admins": ["no spaces"] }), "spec.officialGroup.admins[0]"),
    (|spec| spec["officialGroup"] = json!({ "posting": "Nobody" }), "spec.officialGroup.posting"),
    (|spec| spec["drain"] = json!({ "window": "soon" }), "spec.drain.window"),
    (|spec| spec["drain"] = json!({ "window": "2h" }), "spec.drain.window"),
    (
        |spec| spec["autoscaling"] = json!({ "minReplicas": 4, "maxReplicas": 3 }),
        "minReplicas must not be greater",
    ),
    (
        |spec| {
            spec["autoscaling"] = json!({ "maxReplicas": 3, "keda": { "prometheus": "http://prometheus" } });
        },
        "keda needs targetConnections",
    ),
    (|spec| spec["exposure"] = json!({}), "exactly one of ingress and gateway"),
    (
        |spec| {
            spec["exposure"] = json!({ "ingress": {}, "gateway": { "parentRefs": [{ "name": "public" }] } })
        },
        "exactly one of ingress and gateway",
    ),
    (
        |spec| spec["exposure"] = json!({ "gateway": { "parentRefs": [] } }),
        "spec.exposure.gateway.parentRefs",
    ),
    (|spec| spec["exposure"] = json!({ "ingress": { "host": "Not A Host" } }), "spec.exposure.ingress.host"),
    (|spec| spec["exposure"] = json!({ "ingress": { "path": "chat" } }), "spec.exposure.ingress.path"),
    (
        |spec| spec["exposure"] = json!({ "ingress": { "controller": "AwsAlb", "path": "/chat" } }),
        "leave path at /",
    ),
    (
        |spec| {
            let tls = json!({ "secretName": "tls" });
            spec["exposure"] = json!({ "ingress": { "controller": "AwsAlb", "tls": tls } });
        },
        "tls needs host",
    ),
    (|spec| spec["pod"] = json!({ "labels": { "app.kubernetes.io/name": "x" } }), "are the operator's"),
    (|spec| spec["pod"] = json!({ "annotations": { "vibetalk.dev/x": "x" } }), "are the operator's"),
    (|spec| spec["pod"] = json!({ "env": [{ "name": "VT_LISTEN", "value": "x" }] }), "are the operator's"),
    (
        |spec| {
            let one = json!({ "name": "A", "value": "x" });
            spec["pod"] = json!({ "env": [one, one] });
        },
        "Duplicate value",
    ),
    (|spec| spec["networkPolicy"] = json!({ "ports": [0] }), "spec.networkPolicy.ports[0]"),
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
async fn partitions_and_routing_can_be_changed() {
    let Some(namespace) = Namespace::empty().await else { return };
    namespace.make("demo", spec()).await;
    namespace.change("demo", json!({ "rabbitmq": { "partitions": 8, "routing": "Static" } })).await.unwrap();
}

#[tokio::test]
async fn the_length_of_a_bucket_is_that_of_its_database() {
    let Some(namespace) = Namespace::empty().await else { return };
    namespace.make("demo", spec()).await;
    let refused = namespace.change("demo", json!({ "mongodb": { "bucket": "5d" } })).await.unwrap_err();
    assert!(refused.to_string().contains("a new bucket needs a new database"), "{refused}");
    namespace.change("demo", json!({ "mongodb": { "bucket": "5d", "database": "other" } })).await.unwrap();
}

#[tokio::test]
async fn null_is_the_same_as_absent() {
    let Some(namespace) = Namespace::empty().await else { return };
    let mut nulls = spec();
    nulls["rabbitmq"]["clusterRef"] = Value::Null;
    nulls["exposure"] = json!({ "ingress": {}, "gateway": null });
    nulls["autoscaling"] = Value::Null;
    namespace.make("demo", nulls).await;
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
    assert_eq!(spec.official_group.posting, Posting::Everyone);
}

#[tokio::test]
async fn every_example_is_accepted_and_converges_as_far_as_it_can_without_its_services() {
    let Some(namespace) = Namespace::empty().await else { return };
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds/examples");
    let mut names = Vec::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let example: Value = serde_yaml::from_str(&text).unwrap();
        let name = example["metadata"]["name"].as_str().unwrap().to_owned();
        namespace.make(&name, example["spec"].clone()).await;
        namespace.settle(&name).await;
        assert_eq!(namespace.condition(&name, "Ready").await.1, "SecretMissing", "{name}");
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["autoscaling", "demo", "gateway", "keda", "production"]);
}

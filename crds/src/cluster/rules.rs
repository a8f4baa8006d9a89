//! Every rule of the resource, evaluated as the API server does: a case that it lets through and one that it refuses.

use kube_cel::Validator;
use serde_json::{Value, json};

use crate::yaml::{definition, rule_messages};

type Change = fn(&mut Value);

struct Case {
    /// A part of the rule's message that no other has.
    message: &'static str,
    passes: Change,
    /// Refused by this rule, and by no other.
    refused: Change,
}

const CASES: &[Case] = &[
    Case {
        message: "metadata.name is also the name of a Service",
        passes: |object| object["metadata"]["name"] = "a".repeat(63).into(),
        refused: |object| object["metadata"]["name"] = "a.b".into(),
    },
    Case {
        message: "metadata.name is also the name of a Service",
        passes: |object| object["metadata"]["name"] = "chat-2".into(),
        refused: |object| object["metadata"]["name"] = "2-chat".into(),
    },
    Case {
        message: "spec.replicas is required with spec.autoscaling",
        passes: |object| drop(without(&mut object["spec"], "replicas")),
        refused: |object| {
            without(&mut object["spec"], "replicas");
            object["spec"]["autoscaling"] = json!({ "maxReplicas": 3 });
        },
    },
    Case {
        message: "where is the broker?",
        passes: |object| object["spec"]["rabbitmq"] = json!({ "clusterRef": { "name": "rabbit" } }),
        refused: |object| object["spec"]["rabbitmq"] = json!({}),
    },
    Case {
        message: "where is the broker?",
        passes: |_| {},
        refused: |object| object["spec"]["rabbitmq"]["clusterRef"] = json!({ "name": "rabbit" }),
    },
    Case {
        message: "a new bucket needs a new database",
        passes: |object| object["spec"]["mongodb"] = json!({ "bucket": "5d", "database": "other" }),
        refused: |object| object["spec"]["mongodb"]["bucket"] = "5d".into(),
    },
    Case {
        message: "a duration must be longer than 0",
        passes: |object| object["spec"]["mongodb"]["retention"] = "1d0h".into(),
        refused: |object| object["spec"]["mongodb"]["retention"] = "0d0h".into(),
    },
    Case {
        message: "whose keys are good?",
        passes: |object| {
            object["spec"]["auth"] = json!({ "jwks": "https://sso.example", "audience": "chat" })
        },
        refused: |object| object["spec"]["auth"] = json!({}),
    },
    Case {
        message: "jwks needs audience",
        passes: |_| {},
        refused: |object| object["spec"]["auth"] = json!({ "jwks": "https://sso.example" }),
    },
    Case {
        message: "minReplicas must not be greater",
        passes: |object| object["spec"]["autoscaling"] = json!({ "minReplicas": 3, "maxReplicas": 3 }),
        // The least is 2 where it is left out.
        refused: |object| object["spec"]["autoscaling"] = json!({ "maxReplicas": 1 }),
    },
    Case {
        message: "keda needs targetConnections",
        passes: |object| object["spec"]["autoscaling"] = keda(json!({ "targetConnections": 9 })),
        refused: |object| object["spec"]["autoscaling"] = keda(json!({})),
    },
    Case {
        message: "keda needs targetConnections",
        passes: |object| object["spec"]["autoscaling"] = json!({ "maxReplicas": 3, "metrics": [] }),
        refused: |object| {
            object["spec"]["autoscaling"] = keda(json!({ "targetConnections": 9, "metrics": [] }));
        },
    },
    Case {
        message: "which way in?",
        passes: |object| object["spec"]["exposure"] = json!({ "ingress": {} }),
        refused: |object| object["spec"]["exposure"] = json!({}),
    },
    Case {
        message: "which way in?",
        passes: |object| object["spec"]["exposure"] = json!({ "gateway": { "parentRefs": [] } }),
        refused: |object| {
            object["spec"]["exposure"] = json!({ "ingress": {}, "gateway": { "parentRefs": [] } });
        },
    },
    Case {
        message: "leave path at /",
        passes: |object| object["spec"]["exposure"] = json!({ "ingress": { "path": "/chat" } }),
        refused: |object| {
            object["spec"]["exposure"] = json!({ "ingress": { "controller": "AwsAlb", "path": "/chat" } });
        },
    },
    Case {
        message: "tls needs host",
        passes: |object| object["spec"]["exposure"] = json!({ "ingress": { "tls": { "secretName": "t" } } }),
        refused: |object| {
            let ingress = json!({ "controller": "AwsAlb", "tls": { "secretName": "t" } });
            object["spec"]["exposure"] = json!({ "ingress": ingress });
        },
    },
    Case {
        message: "labels app.kubernetes.io/",
        passes: |object| object["spec"]["pod"] = json!({ "labels": { "team": "chat" } }),
        refused: |object| object["spec"]["pod"] = json!({ "labels": { "app.kubernetes.io/name": "x" } }),
    },
    Case {
        message: "annotations vibetalk.dev/",
        passes: |object| object["spec"]["pod"] = json!({ "annotations": { "example.com/x": "y" } }),
        refused: |object| object["spec"]["pod"] = json!({ "annotations": { "vibetalk.dev/x": "y" } }),
    },
    Case {
        message: "SERVICE_BINDING_ROOT are the operator's",
        passes: |object| object["spec"]["pod"] = json!({ "env": [{ "name": "VT_LOG", "value": "debug" }] }),
        refused: |object| object["spec"]["pod"] = json!({ "env": [{ "name": "POD_NAME", "value": "x" }] }),
    },
];

fn without(object: &mut Value, key: &str) -> Option<Value> {
    object.as_object_mut()?.remove(key)
}

fn keda(mut autoscaling: Value) -> Value {
    autoscaling["maxReplicas"] = 3.into();
    autoscaling["keda"] = json!({ "prometheus": "http://prometheus" });
    autoscaling
}

fn valid() -> Value {
    json!({
        "metadata": { "name": "demo" },
        "spec": {
            "replicas": 2,
            "rabbitmq": { "secretRef": { "name": "mq" } },
            "mongodb": { "secretRef": { "name": "db" } },
            "auth": { "secretRef": { "name": "auth" } },
        },
    })
}

/// What is refused of a resource that was [`valid`] before `change`, and by which rules.
fn refusals(schema: &Value, change: Change) -> Vec<String> {
    let mut object = valid();
    change(&mut object);
    let result = Validator::new().validate(schema, &object, Some(&valid()));
    result.err().into_iter().flat_map(|errors| errors.into_vec()).map(|error| error.message).collect()
}

fn schema() -> Value {
    let version = definition().spec.versions.remove(0);
    serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
}

#[test]
fn every_rule_lets_one_case_through_and_refuses_another_with_its_message() {
    let schema = schema();
    for Case { message, passes, refused } in CASES {
        assert_eq!(refusals(&schema, *passes), [""; 0], "{message}");
        let refusals = refusals(&schema, *refused);
        assert!(refusals.len() == 1 && refusals[0].contains(message), "{message}: {refusals:?}");
    }
}

#[test]
fn every_rule_has_a_case() {
    let messages = rule_messages();
    assert!(messages.len() > 10, "{messages:?}");
    for message in &messages {
        assert!(CASES.iter().any(|case| message.contains(case.message)), "no case for: {message}");
    }
}

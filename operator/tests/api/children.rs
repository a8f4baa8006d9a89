//! The objects in the API server.

use std::time::Duration;

use crds::VibeTalkCluster;
use crds::condition::ConditionType;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use operator::resources::Kind;
use serde_json::{Value, json};

use crate::namespace::{Namespace, eventually, spec};

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = spec();
    change(&mut spec);
    spec
}

fn with_everything() -> Value {
    with(|spec| {
        spec["exposure"] = json!({ "ingress": { "className": "nginx" } });
        spec["autoscaling"] = json!({ "maxReplicas": 5 });
    })
}

#[tokio::test]
async fn every_child_is_made_and_owned_by_its_cluster() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", with_everything()).await;
    namespace.settle("demo").await;
    let cluster = namespace.api::<VibeTalkCluster>().get("demo").await.unwrap();
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_optional()) {
        let child = namespace.child(kind, "demo").await.unwrap_or_else(|| panic!("no {kind}"));
        let [owner] = child.owner_references() else { panic!("{:?}", child.owner_references()) };
        assert_eq!(owner.uid, cluster.uid().unwrap());
        assert_eq!(owner.controller, Some(true));
    }
}

#[tokio::test]
async fn a_settled_cluster_is_not_written_again() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let spec = with(|spec| {
        // What the API server stores differently from what was written.
        spec["pod"] = json!({
            "resources": { "requests": { "cpu": "0.5", "memory": "1024Mi" } },
            "nodeSelector": { "disk": "fast" },
            "tolerations": [{ "key": "chat", "operator": "Exists" }],
        });
        spec["imagePullSecrets"] = json!([{ "name": "pull" }]);
        spec["exposure"] = json!({ "ingress": { "host": "chat.example", "tls": { "secretName": "tls" } } });
        spec["autoscaling"] = json!({ "maxReplicas": 5 });
    });
    namespace.make("demo", spec).await;
    namespace.settle("demo").await;
    let changes = namespace.broker.changes();
    for _ in 0..3 {
        assert_eq!(namespace.visit("demo").await.unwrap(), 0);
    }
    assert_eq!(namespace.broker.changes(), changes);
}

#[tokio::test]
async fn a_visit_to_a_settled_cluster_asks_the_api_server_nothing() {
    let remembering = Namespace::remembering_secrets_for(Duration::from_secs(600)).await;
    let Some(namespace) = remembering else { return };
    namespace.make_secrets().await;
    namespace.make("demo", with_everything()).await;
    namespace.settle("demo").await;
    let before = namespace.calls();
    for _ in 0..3 {
        assert_eq!(namespace.visit("demo").await.unwrap(), 0);
    }
    assert_eq!(namespace.calls(), before);
}

#[tokio::test]
async fn all_conditions_are_set_on_the_first_visit() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.visit("demo").await.unwrap();
    let status = namespace.status("demo").await;
    assert_eq!(status.conditions.len(), ConditionType::ALL.len());
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(status.selector, "app.kubernetes.io/instance=demo,app.kubernetes.io/name=chat-node");
}

#[tokio::test]
async fn a_deleted_child_comes_back_at_once() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", with_everything()).await;
    namespace.run_operator();
    eventually("the Ingress is made", async || namespace.has::<Ingress>("demo").await).await;
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_optional()) {
        let api = namespace.children(kind);
        let uid = api.get("demo").await.unwrap().uid();
        api.delete("demo", &DeleteParams::background()).await.unwrap();
        let what = format!("{kind} is back");
        eventually(&what, async || api.get_opt("demo").await.unwrap().is_some_and(|new| new.uid() != uid))
            .await;
    }
}

#[tokio::test]
async fn a_field_changed_by_hand_is_put_right() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.run_operator();
    eventually("the Deployment is made", async || namespace.has::<Deployment>("demo").await).await;
    let replicas = async || {
        let deployment = namespace.api::<Deployment>().get("demo").await.unwrap();
        deployment.spec.unwrap().replicas.unwrap()
    };
    let patch = json!({ "spec": { "replicas": 1 } });
    namespace.api::<Deployment>().patch("demo", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    eventually("two replicas are asked for again", async || replicas().await == 2).await;
}

#[tokio::test]
async fn a_wish_that_is_dropped_is_taken_back() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", with(|spec| spec["pod"] = json!({ "nodeSelector": { "disk": "fast" } }))).await;
    namespace.settle("demo").await;
    let patch = json!({ "spec": { "pod": null } });
    namespace
        .api::<VibeTalkCluster>()
        .patch("demo", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    namespace.settle("demo").await;
    let pod = namespace.api::<Deployment>().get("demo").await.unwrap().spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.node_selector, None);
}

#[tokio::test]
async fn a_child_that_is_no_longer_wanted_goes() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", with_everything()).await;
    namespace.settle("demo").await;
    let patch = json!({ "spec": { "exposure": null, "autoscaling": null } });
    namespace
        .api::<VibeTalkCluster>()
        .patch("demo", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    namespace.settle("demo").await;
    assert!(!namespace.has::<Ingress>("demo").await);
    assert!(!namespace.has::<HorizontalPodAutoscaler>("demo").await);
    assert!(namespace.has::<Deployment>("demo").await);
}

#[tokio::test]
async fn a_cluster_sleeps_without_its_autoscaler_and_wakes_with_it() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", with_everything()).await;
    namespace.settle("demo").await;
    for (replicas, autoscaled) in [(0, false), (3, true)] {
        namespace.change("demo", json!({ "replicas": replicas })).await.unwrap();
        namespace.settle("demo").await;
        assert_eq!(namespace.has::<HorizontalPodAutoscaler>("demo").await, autoscaled);
        let reason = namespace.condition("demo", "WorkloadAvailable").await.1;
        assert_eq!(reason == "Hibernating", !autoscaled, "{reason}");
    }
}

#[tokio::test]
async fn an_object_of_someone_else_is_left_alone_and_named() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let theirs: ConfigMap =
        serde_json::from_value(json!({ "metadata": { "name": "demo" }, "data": { "mine": "yes" } })).unwrap();
    namespace.api::<ConfigMap>().create(&PostParams::default(), &theirs).await.unwrap();
    namespace.make("demo", spec()).await;
    namespace.settle("demo").await;
    let data = namespace.api::<ConfigMap>().get("demo").await.unwrap().data.unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["mine"]);
    let (_, reason, message) = namespace.condition("demo", "Ready").await;
    assert_eq!(reason, "NameTaken");
    assert!(message.contains("ConfigMap `demo`"), "{message}");
}

/// Objects of somebody else, with the name of a cluster and as little in them as can be.
const FOREIGN: [(Kind, fn() -> Value); 6] = [
    (Kind::ServiceAccount, || json!({})),
    (Kind::ConfigMap, || json!({ "data": { "mine": "yes" } })),
    (Kind::Service, || json!({ "spec": { "ports": [{ "port": 80 }] } })),
    (Kind::NetworkPolicy, || json!({ "spec": { "podSelector": {} } })),
    (Kind::Deployment, || {
        let labels = json!({ "app": "theirs" });
        let pod = json!({ "containers": [{ "name": "theirs", "image": "theirs:1" }] });
        let template = json!({ "metadata": { "labels": labels }, "spec": pod });
        json!({ "spec": { "selector": { "matchLabels": labels }, "template": template } })
    }),
    (Kind::PodDisruptionBudget, || json!({ "spec": { "maxUnavailable": 1 } })),
];

#[tokio::test]
async fn whatever_of_someone_else_has_the_name_is_left_as_it_is_until_it_goes() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    for (kind, theirs) in FOREIGN {
        let name = kind.to_string().to_lowercase();
        let mut body = theirs();
        body["metadata"] = json!({ "name": name });
        let api = namespace.children(kind);
        let theirs =
            api.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
        namespace.make(&name, spec()).await;
        namespace.settle(&name).await;
        assert_eq!(api.get(&name).await.unwrap(), theirs, "{kind}");
        let (_, reason, message) = namespace.condition(&name, "Ready").await;
        assert_eq!(reason, "NameTaken", "{kind}: {message}");
        assert!(message.contains(&format!("{kind} `{name}`")), "{message}");
        for (other, _) in FOREIGN.iter().filter(|(other, _)| *other != kind) {
            assert!(namespace.child(*other, &name).await.is_some(), "{other} beside their {kind}");
        }
        api.delete(&name, &DeleteParams::default()).await.unwrap();
        namespace.settle(&name).await;
        assert_eq!(api.get(&name).await.unwrap().owner_references().len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn the_first_visit_reads_nothing_but_the_secrets() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    let before = namespace.calls();
    let written = namespace.visit("demo").await.unwrap();
    assert_eq!(namespace.calls() - before - written, 3);
    assert_eq!(written, 9, "six objects, the finalizer, the status and an event");
}

#[tokio::test]
async fn the_url_is_the_address_of_the_ingress() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", with_everything()).await;
    namespace.settle("demo").await;
    assert_eq!(namespace.status("demo").await.url, None);
    let ready = json!({ "status": { "replicas": 2, "readyReplicas": 2 } });
    let deployments = namespace.api::<Deployment>();
    deployments.patch_status("demo", &PatchParams::default(), &Patch::Merge(ready)).await.unwrap();
    let patch = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "10.96.0.80" }] } } });
    let api = namespace.api::<Ingress>();
    api.patch_status("demo", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    namespace.settle("demo").await;
    assert_eq!(namespace.status("demo").await.url.as_deref(), Some("http://10.96.0.80/"));
}

#[tokio::test]
async fn a_paused_cluster_is_reported_and_left_alone() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", with(|spec| spec["paused"] = true.into())).await;
    namespace.settle("demo").await;
    assert!(!namespace.has::<ServiceAccount>("demo").await);
    assert!(namespace.broker.names().is_empty());
    assert_eq!(namespace.condition("demo", "Paused").await.0, "True");
}

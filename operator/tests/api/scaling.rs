//! Replicas: written by others into the resource, by the operator into the Deployment.

use crds::VibeTalkCluster;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::resources::selector_text;
use serde_json::json;

use crate::namespace::{Namespace, eventually, spec};

async fn scale(namespace: &Namespace, replicas: i32) {
    let patch = json!({ "spec": { "replicas": replicas } });
    let api = namespace.api::<VibeTalkCluster>();
    api.patch_scale("demo", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn replicas(namespace: &Namespace) -> i32 {
    namespace.api::<Deployment>().get("demo").await.unwrap().spec.unwrap().replicas.unwrap()
}

/// What the Deployment's controller would write.
async fn acknowledge(namespace: &Namespace) {
    let api = namespace.api::<Deployment>();
    let deployment = api.get("demo").await.unwrap();
    let replicas = deployment.spec.unwrap().replicas.unwrap();
    let status = json!({ "status": {
        "observedGeneration": deployment.metadata.generation,
        "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
    } });
    api.patch_status("demo", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

async fn make_pods(namespace: &Namespace, names: &[&str]) {
    for name in names {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": name, "labels": operator::resources::selector("demo") },
            "spec": { "containers": [{ "name": "chat-node", "image": "chat-node:test" }] },
        }))
        .unwrap();
        namespace.api::<Pod>().create(&PostParams::default(), &pod).await.unwrap();
    }
}

async fn marked(namespace: &Namespace) -> Vec<String> {
    let pods = namespace.api::<Pod>().list(&ListParams::default()).await.unwrap();
    let marked =
        pods.items.into_iter().filter(|pod| pod.annotations().contains_key(operator::act::DELETION_COST));
    marked.map(|pod| pod.name_any()).collect()
}

#[tokio::test]
async fn the_scale_subresource_reaches_the_deployment() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    namespace.make("demo", spec()).await;
    namespace.run_operator();
    eventually("the Deployment is made", async || namespace.has::<Deployment>("demo").await).await;
    scale(&namespace, 5).await;
    eventually("five replicas are asked for", async || replicas(&namespace).await == 5).await;
    acknowledge(&namespace).await;
    let api = namespace.api::<VibeTalkCluster>();
    eventually("the scale shows them", async || {
        let scale = api.get_scale("demo").await.unwrap();
        let status = scale.status.unwrap();
        status.replicas == 5 && status.selector.as_deref() == Some(selector_text("demo").as_str())
    })
    .await;
}

#[tokio::test]
async fn shrinking_goes_one_pod_at_a_time_and_waits_for_each_to_end() {
    let Some(namespace) = Namespace::with_secrets().await else { return };
    let mut four = spec();
    four["replicas"] = 4.into();
    namespace.make("demo", four).await;
    namespace.settle("demo").await;
    make_pods(&namespace, &["a", "b", "c", "d"]).await;
    acknowledge(&namespace).await;
    namespace.settle("demo").await;

    scale(&namespace, 2).await;
    namespace.visit("demo").await.unwrap();
    assert_eq!(replicas(&namespace).await, 3);
    assert_eq!(marked(&namespace).await, ["a"]);

    acknowledge(&namespace).await;
    namespace.visit("demo").await.unwrap();
    assert_eq!(replicas(&namespace).await, 3, "the first pod still stands");
    let (status, _, message) = namespace.condition("demo", "Progressing").await;
    assert_eq!(status, "True");
    assert!(message.contains("3 chat nodes on the way to 2"), "{message}");

    namespace.api::<Pod>().delete("a", &DeleteParams::default().grace_period(0)).await.unwrap();
    namespace.visit("demo").await.unwrap();
    assert_eq!(replicas(&namespace).await, 2);
    assert_eq!(marked(&namespace).await, ["b"]);
}

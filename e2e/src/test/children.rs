//! The objects that the operator makes for a cluster.

use anyhow::Result;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};

use super::world::selector;

/// A child: its kind and the object.
pub type Child = (&'static str, DynamicObject);

/// Every object of a cluster, but its pods and what belongs to them.
pub async fn of(client: &kube::Client, namespace: &str, cluster: &str) -> Result<Vec<Child>> {
    let kinds: [(&str, ApiResource); 8] = [
        ("Deployment", ApiResource::erase::<Deployment>(&())),
        ("Service", ApiResource::erase::<Service>(&())),
        ("ConfigMap", ApiResource::erase::<ConfigMap>(&())),
        ("ServiceAccount", ApiResource::erase::<ServiceAccount>(&())),
        ("NetworkPolicy", ApiResource::erase::<NetworkPolicy>(&())),
        ("PodDisruptionBudget", ApiResource::erase::<PodDisruptionBudget>(&())),
        ("Ingress", ApiResource::erase::<Ingress>(&())),
        ("HorizontalPodAutoscaler", ApiResource::erase::<HorizontalPodAutoscaler>(&())),
    ];
    let params = ListParams::default().labels(&selector(cluster));
    let mut children = Vec::new();
    for (kind, resource) in kinds {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        children.extend(api.list(&params).await?.items.into_iter().map(|object| (kind, object)));
    }
    Ok(children)
}

/// Kind, uid and version of the spec of each child: equal as long as nobody changed anything of weight.
pub fn fingerprint(children: &[Child]) -> Vec<(&'static str, String, Option<i64>)> {
    let uid = |object: &DynamicObject| object.meta().uid.clone().unwrap_or_default();
    children.iter().map(|(kind, object)| (*kind, uid(object), object.meta().generation)).collect()
}

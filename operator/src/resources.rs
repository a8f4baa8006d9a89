//! The objects that a cluster becomes. One builder a kind; [`build`] lists them all.

mod config_map;
mod container;
mod deployment;
mod horizontal_pod_autoscaler;
mod ingress;
mod service;
mod service_account;

use std::collections::BTreeMap;
use std::fmt;

use crds::VibeTalkClusterSpec;
use k8s_openapi::api::{apps, autoscaling, core, networking};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::MANAGER;
use crate::cluster::Cluster;

/// Says with which wishes an object was applied last. Tells a field that is no longer wanted from one that someone
/// else has added.
pub const APPLIED_ANNOTATION: &str = "vibetalk.dev/applied";

/// Kinds of children, in the order in which they are written: what a pod needs comes before the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Identity of the pods, without rights.
    ServiceAccount,
    /// The chat nodes' settings.
    ConfigMap,
    /// The address inside the Kubernetes cluster.
    Service,
    /// The chat nodes.
    Deployment,
    /// Sets `spec.replicas` of the resource.
    HorizontalPodAutoscaler,
    /// The way in from outside.
    Ingress,
}

/// A wanted object, complete with kind, name, labels and owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// What is applied.
    pub body: Value,
}

/// What the builders work from.
#[derive(Clone, Copy, Debug)]
pub struct Blueprint<'a> {
    /// Whose objects they are.
    pub cluster: &'a Cluster,
    /// Its parsed spec.
    pub spec: &'a VibeTalkClusterSpec,
    /// Replicas of the Deployment for now.
    pub replicas: i32,
    /// Digest of the Secrets; without it there is no Deployment, as its pods could not start.
    pub credentials: Option<&'a str>,
}

/// Every object that the cluster should have, in the order of writing.
pub fn build(blueprint: &Blueprint<'_>) -> Vec<Object> {
    let mut objects = vec![
        Object::new(Kind::ServiceAccount, &service_account::build(blueprint)),
        Object::new(Kind::ConfigMap, &config_map::build(blueprint)),
        Object::new(Kind::Service, &service::build(blueprint)),
    ];
    if let Some(credentials) = blueprint.credentials {
        objects.push(Object::new(Kind::Deployment, &deployment::build(blueprint, credentials)));
    }
    if let Some(autoscaling) = &blueprint.spec.autoscaling {
        let autoscaler = horizontal_pod_autoscaler::build(blueprint, autoscaling);
        objects.push(Object::new(Kind::HorizontalPodAutoscaler, &autoscaler));
    }
    if let Some(ingress) = blueprint.spec.exposure.as_ref().and_then(|exposure| exposure.ingress.as_ref()) {
        objects.push(Object::new(Kind::Ingress, &ingress::build(blueprint, ingress)));
    }
    objects
}

/// Digest of the Secrets as a live Deployment carries it.
pub fn credentials_of(deployment: &apps::v1::Deployment) -> Option<&str> {
    let template = &deployment.spec.as_ref()?.template;
    let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(deployment::CREDENTIALS_ANNOTATION).map(String::as_str)
}

/// Labels by which the pods of a cluster are found. They never change.
pub fn selector(cluster_name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "chat-node".to_owned()),
        ("app.kubernetes.io/instance".to_owned(), cluster_name.to_owned()),
    ])
}

/// The same labels as the text of a selector.
pub fn selector_text(cluster_name: &str) -> String {
    let pairs: Vec<_> = selector(cluster_name).iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// The label that every child carries.
pub fn managed_by() -> String {
    format!("app.kubernetes.io/managed-by={MANAGER}")
}

/// The first 16 hexadecimal digits of the SHA-256 digest.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn labels(cluster_name: &str) -> BTreeMap<String, String> {
    let mut labels = selector(cluster_name);
    for (key, value) in [("component", "chat-node"), ("managed-by", MANAGER), ("part-of", "vibetalk")] {
        labels.insert(format!("app.kubernetes.io/{key}"), value.to_owned());
    }
    labels
}

fn metadata(cluster: &Cluster) -> ObjectMeta {
    ObjectMeta {
        name: Some(cluster.name.clone()),
        namespace: Some(cluster.namespace.clone()),
        labels: Some(labels(&cluster.name)),
        owner_references: Some(vec![cluster.owner()]),
        ..ObjectMeta::default()
    }
}

impl Object {
    fn new(kind: Kind, object: &impl Serialize) -> Self {
        // Kubernetes' own types have string keys only, so this cannot fail.
        let mut body = serde_json::to_value(object).unwrap_or_default();
        let digest = digest(body.to_string().as_bytes());
        body["metadata"]["annotations"][APPLIED_ANNOTATION] = digest.into();
        Self { kind, body }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.body["metadata"]["name"].as_str().unwrap_or_default()
    }
}

impl Kind {
    /// Every kind, in the order of writing.
    pub const ALL: [Self; 6] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::HorizontalPodAutoscaler,
        Self::Ingress,
    ];

    /// Where the API server keeps it.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<core::v1::ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<core::v1::ConfigMap>(&()),
            Self::Service => ApiResource::erase::<core::v1::Service>(&()),
            Self::Deployment => ApiResource::erase::<apps::v1::Deployment>(&()),
            Self::HorizontalPodAutoscaler => {
                ApiResource::erase::<autoscaling::v2::HorizontalPodAutoscaler>(&())
            }
            Self::Ingress => ApiResource::erase::<networking::v1::Ingress>(&()),
        }
    }

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::Ingress => "Ingress",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn built(cluster: &Cluster) -> Vec<Object> {
        let spec = cluster.spec.as_ref().unwrap();
        build(&Blueprint { cluster, spec, replicas: 2, credentials: Some("c0ffee") })
    }

    #[test]
    fn every_object_is_named_labelled_and_owned_as_its_cluster() {
        let cluster = fixture::cluster(|spec| {
            spec["autoscaling"] = serde_json::json!({ "maxReplicas": 5 });
            spec["replicas"] = 2.into();
        });
        let objects = built(&cluster);
        assert_eq!(objects.iter().map(|object| object.kind).collect::<Vec<_>>(), Kind::ALL);
        for object in objects {
            let metadata = &object.body["metadata"];
            assert_eq!(object.body["kind"], object.kind.name());
            assert_eq!(object.name(), cluster.name);
            assert_eq!(metadata["ownerReferences"][0]["uid"], cluster.uid.as_str());
            assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], MANAGER);
        }
    }

    #[test]
    fn without_credentials_there_are_no_pods() {
        let cluster = fixture::cluster(|_| {});
        let spec = cluster.spec.as_ref().unwrap();
        let objects = build(&Blueprint { cluster: &cluster, spec, replicas: 2, credentials: None });
        assert!(objects.iter().all(|object| object.kind != Kind::Deployment));
    }

    #[test]
    fn a_changed_wish_changes_the_annotation() {
        let applied = |cluster: &Cluster| {
            built(cluster)
                .into_iter()
                .map(|object| object.body["metadata"]["annotations"].clone())
                .collect::<Vec<_>>()
        };
        let before = applied(&fixture::cluster(|_| {}));
        let after = applied(&fixture::cluster(|spec| spec["image"] = "other:1".into()));
        assert_eq!(before[0], after[0], "the ServiceAccount is as before");
        assert_ne!(before[3], after[3], "the Deployment is not");
    }
}

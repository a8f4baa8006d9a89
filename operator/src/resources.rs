//! The objects that a cluster becomes. One builder a kind; [`build`] lists them all.

mod config_map;
mod container;
mod deployment;
mod horizontal_pod_autoscaler;
mod http_route;
mod ingress;
mod kind;
mod network_policy;
mod pod;
mod pod_disruption_budget;
mod pod_monitor;
mod prometheus_rule;
mod scaled_object;
mod service;
mod service_account;
mod spread;

use std::collections::{BTreeMap, BTreeSet};

use crds::{Autoscaling, TopologyOrder, VibeTalkClusterSpec};
use k8s_openapi::api::apps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::MANAGER;
use crate::cluster::Cluster;

pub(crate) use config_map::{HIGHEST_EPOCH_ANNOTATION, ORDER_ANNOTATION};
pub use kind::Kind;

/// Says with which wishes an object was applied last. Tells a field that is no longer wanted from one that someone
/// else has added.
pub const APPLIED_ANNOTATION: &str = "vibetalk.dev/applied";

/// The version of a store in which nothing has been written yet.
const NO_VERSION: &str = "1";

/// The label that names the cluster of a pod.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// What every chat node's pod is selected by.
pub const NODE_LABEL: &str = "app.kubernetes.io/name=chat-node";
/// Name of the container in a pod.
pub const CONTAINER: &str = "chat-node";

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
    /// The epochs that chat nodes begin with.
    pub order: &'a TopologyOrder,
    /// The highest epoch that was ever ordered, at least that of `order`.
    pub highest_epoch: u32,
    /// Replicas of the Deployment for now.
    pub replicas: i32,
    /// Digest of the Secrets; without it there is no Deployment, as its pods could not start.
    pub credentials: Option<&'a str>,
    /// Ports of broker and store; without them there is no NetworkPolicy, as it would cut the pods off.
    pub ports: Option<&'a BTreeSet<u16>>,
}

/// Every object that the cluster should have and that can be built, in the order of writing.
pub fn build(blueprint: &Blueprint<'_>) -> Vec<Object> {
    let object = |kind| Some(Object::new(kind, body(blueprint, kind)?));
    Kind::ALL.into_iter().filter(|kind| is_wanted(blueprint.spec, *kind)).filter_map(object).collect()
}

/// Whether the cluster should have an object of this kind.
pub fn is_wanted(spec: &VibeTalkClusterSpec, kind: Kind) -> bool {
    let exposure = spec.exposure.as_ref();
    let monitoring = spec.monitoring.as_ref();
    // An autoscaler would have no say about a cluster that sleeps, and complain.
    let autoscaling = spec.autoscaling.as_ref().filter(|_| !spec.hibernates());
    let by_keda = |autoscaling: &Autoscaling| autoscaling.keda.is_some();
    match kind {
        Kind::ServiceAccount
        | Kind::ConfigMap
        | Kind::Service
        | Kind::Deployment
        | Kind::PodDisruptionBudget => true,
        Kind::NetworkPolicy => spec.network_policy.enabled,
        Kind::HorizontalPodAutoscaler => autoscaling.is_some_and(|autoscaling| !by_keda(autoscaling)),
        Kind::ScaledObject => autoscaling.is_some_and(by_keda),
        Kind::Ingress => exposure.is_some_and(|exposure| exposure.ingress.is_some()),
        Kind::HttpRoute => exposure.is_some_and(|exposure| exposure.gateway.is_some()),
        Kind::PodMonitor => monitoring.is_some_and(|monitoring| monitoring.pod_monitor.is_some()),
        Kind::PrometheusRule => monitoring.is_some_and(|monitoring| monitoring.rules.is_some()),
    }
}

/// The object of a kind, if what it needs is there.
fn body(blueprint: &Blueprint<'_>, kind: Kind) -> Option<Value> {
    let spec = blueprint.spec;
    let (autoscaling, exposure) = (spec.autoscaling.as_ref(), spec.exposure.as_ref());
    let monitoring = spec.monitoring.as_ref();
    Some(match kind {
        Kind::ServiceAccount => value(&service_account::build(blueprint)),
        Kind::ConfigMap => value(&config_map::build(blueprint)),
        Kind::Service => value(&service::build(blueprint)),
        Kind::NetworkPolicy => value(&network_policy::build(blueprint, blueprint.ports?)),
        Kind::Deployment => value(&deployment::build(blueprint, blueprint.credentials?)),
        Kind::PodDisruptionBudget => value(&pod_disruption_budget::build(blueprint)),
        Kind::HorizontalPodAutoscaler => value(&horizontal_pod_autoscaler::build(blueprint, autoscaling?)),
        Kind::ScaledObject => scaled_object::build(blueprint, autoscaling?, autoscaling?.keda.as_ref()?),
        Kind::Ingress => value(&ingress::build(blueprint, exposure?.ingress.as_ref()?)),
        Kind::HttpRoute => http_route::build(blueprint, exposure?.gateway.as_ref()?),
        Kind::PodMonitor => pod_monitor::build(blueprint, monitoring?.pod_monitor.as_ref()?),
        Kind::PrometheusRule => prometheus_rule::build(blueprint, monitoring?.rules.as_ref()?),
    })
}

fn value(object: &impl Serialize) -> Value {
    // Kubernetes' own types have string keys only, so this cannot fail.
    serde_json::to_value(object).unwrap_or_default()
}

/// Digest of the Secrets as a live Deployment carries it.
pub fn credentials_of(deployment: &apps::v1::Deployment) -> Option<&str> {
    let template = &deployment.spec.as_ref()?.template;
    let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(pod::CREDENTIALS_ANNOTATION).map(String::as_str)
}

/// The order of epochs as a live ConfigMap carries it.
pub fn order_of(config_map: &Value) -> Option<TopologyOrder> {
    let text = config_map["metadata"]["annotations"][ORDER_ANNOTATION].as_str()?;
    serde_json::from_str(text).ok()
}

/// The highest epoch that was ever ordered, as a live ConfigMap carries it.
pub fn highest_epoch_of(config_map: &Value) -> Option<u32> {
    config_map["metadata"]["annotations"][HIGHEST_EPOCH_ANNOTATION].as_str()?.parse().ok()
}

/// Labels by which the pods of a cluster are found. They never change.
pub fn selector(cluster_name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "chat-node".to_owned()),
        (INSTANCE_LABEL.to_owned(), cluster_name.to_owned()),
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

/// An object of a kind that has no type here, without its spec.
fn envelope(blueprint: &Blueprint<'_>, kind: Kind) -> Value {
    let metadata = value(&metadata(blueprint.cluster));
    json!({ "apiVersion": kind.resource().api_version, "kind": kind.name(), "metadata": metadata })
}

/// The object with further labels; they never take the place of the operator's own.
fn with_labels(mut object: Value, more: &BTreeMap<String, String>) -> Value {
    let labels = &mut object["metadata"]["labels"];
    for (key, value) in more {
        if labels[key].is_null() {
            labels[key] = value.as_str().into();
        }
    }
    object
}

fn match_labels(blueprint: &Blueprint<'_>) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&blueprint.cluster.name)), ..LabelSelector::default() }
}

/// The labels by which Prometheus knows the series of this cluster's pods, for PromQL.
fn series_of(blueprint: &Blueprint<'_>) -> String {
    let Cluster { namespace, name, .. } = blueprint.cluster;
    // A Deployment's pods: its name and two words. `demo` is not `demo-eu`.
    format!(r#"namespace="{namespace}",pod=~"{name}-[a-z0-9]+-[a-z0-9]+""#)
}

impl Object {
    fn new(kind: Kind, mut body: Value) -> Self {
        let digest = digest(body.to_string().as_bytes());
        body["metadata"]["annotations"][APPLIED_ANNOTATION] = digest.into();
        Self { kind, body }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.body["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The same to be made, and not to be put over anything that has its name: the API server refuses the version, which
    /// no object has, where there is one, and does not look at it where there is none.
    pub fn as_new(mut self) -> Self {
        self.body["metadata"]["resourceVersion"] = NO_VERSION.into();
        self
    }

    /// Whether it is only to be made.
    pub fn is_new(&self) -> bool {
        self.body["metadata"]["resourceVersion"] == NO_VERSION
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use crds::{RoutingMode, TopologyPlan};

    use super::*;
    use crate::fixture;

    static ORDER: LazyLock<TopologyOrder> = LazyLock::new(|| {
        let plan = |epoch| TopologyPlan { epoch, partitions: 7, routing: RoutingMode::Channel };
        TopologyOrder { listen: vec![plan(1), plan(2)], publish: 2 }
    });
    static PORTS: LazyLock<BTreeSet<u16>> = LazyLock::new(|| BTreeSet::from([5_672, 27_017]));

    pub(crate) fn blueprint(cluster: &Cluster) -> Blueprint<'_> {
        let spec = cluster.spec.as_ref().unwrap();
        Blueprint {
            cluster,
            spec,
            order: &ORDER,
            highest_epoch: 2,
            replicas: 2,
            credentials: Some("c0ffee"),
            ports: Some(&PORTS),
        }
    }

    fn built(cluster: &Cluster) -> Vec<Object> {
        build(&blueprint(cluster))
    }

    fn kinds(cluster: &Cluster) -> BTreeSet<Kind> {
        built(cluster).into_iter().map(|object| object.kind).collect()
    }

    #[test]
    fn every_object_is_named_labelled_and_owned_as_its_cluster() {
        let everything = |gateway: bool| {
            fixture::cluster(|spec| {
                spec["autoscaling"] = json!({ "maxReplicas": 5, "targetConnections": 9 });
                spec["monitoring"] = json!({ "podMonitor": {}, "rules": {} });
                if gateway {
                    spec["autoscaling"]["keda"] = json!({ "prometheus": "http://prometheus" });
                    spec["exposure"] = json!({ "gateway": { "parentRefs": [{ "name": "public" }] } });
                }
            })
        };
        let (one, other) = (everything(false), everything(true));
        let objects: Vec<_> = built(&one).into_iter().chain(built(&other)).collect();
        let kinds: BTreeSet<_> = objects.iter().map(|object| object.kind).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), Kind::ALL);
        for object in objects {
            let metadata = &object.body["metadata"];
            assert_eq!(object.body["kind"], object.kind.name());
            assert_eq!(object.body["apiVersion"], object.kind.resource().api_version);
            assert_eq!(object.name(), one.name);
            assert_eq!(metadata["ownerReferences"][0]["uid"], one.uid.as_str());
            assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], MANAGER);
        }
    }

    #[test]
    fn without_credentials_there_are_no_pods_and_without_ports_nothing_is_cut_off() {
        let cluster = fixture::cluster(|_| {});
        let objects = build(&Blueprint { credentials: None, ports: None, ..blueprint(&cluster) });
        let missing = [Kind::Deployment, Kind::NetworkPolicy];
        assert!(objects.iter().all(|object| !missing.contains(&object.kind)));
        assert!(
            !kinds(&fixture::cluster(|spec| spec["networkPolicy"] = json!({ "enabled": false })))
                .contains(&Kind::NetworkPolicy)
        );
    }

    #[test]
    fn a_cluster_that_sleeps_has_no_autoscaler() {
        let autoscaled = |replicas: i32| {
            fixture::cluster(|spec| {
                spec["autoscaling"] = json!({ "maxReplicas": 5 });
                spec["replicas"] = replicas.into();
            })
        };
        assert!(kinds(&autoscaled(1)).contains(&Kind::HorizontalPodAutoscaler));
        assert!(!kinds(&autoscaled(0)).contains(&Kind::HorizontalPodAutoscaler));
    }

    #[test]
    fn labels_of_the_user_never_take_the_place_of_the_operators() {
        let cluster = fixture::cluster(|_| {});
        let more = [("release", "prometheus"), ("app.kubernetes.io/managed-by", "me")];
        let more = more.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let labelled = with_labels(envelope(&blueprint(&cluster), Kind::PodMonitor), &more);
        let labels = &labelled["metadata"]["labels"];
        assert_eq!(
            (&labels["release"], &labels["app.kubernetes.io/managed-by"]),
            (&json!("prometheus"), &json!(MANAGER))
        );
    }

    #[test]
    fn a_changed_wish_changes_the_annotation() {
        let applied = |cluster: &Cluster| -> BTreeMap<_, _> {
            let digest = |object: Object| object.body["metadata"]["annotations"][APPLIED_ANNOTATION].clone();
            built(cluster).into_iter().map(|object| (object.kind, digest(object))).collect()
        };
        let before = applied(&fixture::cluster(|_| {}));
        let after = applied(&fixture::cluster(|spec| spec["image"] = "other:1".into()));
        assert_eq!(before[&Kind::ServiceAccount], after[&Kind::ServiceAccount]);
        assert_ne!(before[&Kind::Deployment], after[&Kind::Deployment]);
    }
}

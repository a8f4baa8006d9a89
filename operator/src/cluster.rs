//! One `VibeTalkCluster` after parsing: the only place that meets optional metadata.

use crds::exchange::ClusterKey;
use crds::{RabbitMq, VibeTalkCluster, VibeTalkClusterSpec, VibeTalkClusterStatus};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::FINALIZER;
use crate::args::Defaults;
use crate::cache::Metadata;

/// Where `kubectl apply` keeps what it was given.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The resource as the API server sends it. Spec and status stay unparsed, so that one bad resource never stops
/// the watch of all the others.
#[derive(Clone, Debug, Serialize, Deserialize, Resource)]
#[resource(inherit = VibeTalkCluster)]
pub struct RawCluster {
    /// Name, namespace, finalizers, without the list of who manages which field.
    #[serde(deserialize_with = "without_managers")]
    pub metadata: ObjectMeta,
    /// A [`VibeTalkClusterSpec`], perhaps.
    #[serde(default)]
    pub spec: Value,
    /// A [`VibeTalkClusterStatus`], perhaps.
    #[serde(default)]
    pub status: Value,
}

/// The resource as it is kept in memory: the same as text, which takes a fraction of the room.
#[derive(Clone, Debug, Resource)]
#[resource(inherit = VibeTalkCluster)]
pub struct KeptCluster {
    /// Name, namespace, finalizers.
    pub metadata: ObjectMeta,
    /// The generation that the status is about.
    pub observed_generation: Option<i64>,
    spec: Box<str>,
    status: Box<str>,
}

/// One `VibeTalkCluster`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its name and its children's.
    pub name: String,
    /// Its namespace and its children's.
    pub namespace: String,
    /// Tells it from an earlier one of the same name.
    pub uid: String,
    /// Another one after every change.
    pub version: Option<String>,
    /// Counts changes of the spec.
    pub generation: Option<i64>,
    /// When it was asked to go.
    pub deleted_at: Option<Timestamp>,
    /// Whether [`FINALIZER`] holds it.
    pub held: bool,
    /// What is wanted.
    pub spec: Result<VibeTalkClusterSpec, InvalidSpec>,
    /// Where its exchanges are, known even where the rest of the spec is invalid.
    pub rabbitmq: Option<RabbitMq>,
    /// Image of the chat node.
    pub image: String,
    /// Namespace of the operator, where that is known.
    pub operator_namespace: Option<String>,
    /// The status as it was written last.
    pub status: VibeTalkClusterStatus,
}

/// The schema let a spec through that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field}: {problem}")]
pub struct InvalidSpec {
    /// Path below `spec`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The object lacks what the API server gives every object.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the resource has no {0}: it does not come from an API server")]
pub struct Nameless(&'static str);

impl<'de> Deserialize<'de> for KeptCluster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawCluster::deserialize(deserializer).map(Self::from)
    }
}

impl From<RawCluster> for KeptCluster {
    fn from(raw: RawCluster) -> Self {
        let RawCluster { mut metadata, spec, status } = raw;
        // Another copy of the spec.
        metadata.annotations.iter_mut().for_each(|all| drop(all.remove(LAST_APPLIED)));
        let observed_generation = status.get("observedGeneration").and_then(Value::as_i64);
        let [spec, status] = [spec, status].map(|part| part.to_string().into());
        Self { metadata, observed_generation, spec, status }
    }
}

impl KeptCluster {
    /// The resource again.
    pub fn raw(&self) -> RawCluster {
        // What a value was written as can be read.
        let value = |text: &str| serde_json::from_str(text).unwrap_or_default();
        RawCluster { metadata: self.metadata.clone(), spec: value(&self.spec), status: value(&self.status) }
    }
}

impl Cluster {
    /// Reads the resource.
    ///
    /// # Errors
    /// If it has no name, namespace or uid. A bad spec is no error here: it is a state to decide about.
    pub fn parse(raw: &RawCluster, defaults: &Defaults) -> Result<Self, Nameless> {
        let metadata = &raw.metadata;
        let present = |value: &Option<String>, what| value.clone().ok_or(Nameless(what));
        let spec = parse_spec(&raw.spec);
        let image = spec.as_ref().ok().and_then(|spec| spec.image.clone());
        Ok(Self {
            name: present(&metadata.name, "name")?,
            namespace: present(&metadata.namespace, "namespace")?,
            uid: present(&metadata.uid, "uid")?,
            version: metadata.resource_version.clone(),
            generation: metadata.generation,
            deleted_at: metadata.deletion_timestamp.as_ref().map(|time| time.0),
            held: metadata.finalizers.iter().flatten().any(|name| name == FINALIZER),
            spec,
            rabbitmq: raw.spec.get("rabbitmq").and_then(|value| RabbitMq::deserialize(value).ok()),
            image: image.unwrap_or_else(|| defaults.chat_node_image.clone()),
            operator_namespace: defaults.pod_namespace.clone(),
            status: VibeTalkClusterStatus::deserialize(&raw.status).unwrap_or_default(),
        })
    }

    /// The field that says where the broker's credentials are.
    pub fn broker_field(&self) -> &'static str {
        self.rabbitmq.as_ref().map_or("spec.rabbitmq.secretRef", RabbitMq::credentials_field)
    }

    /// The name in the broker.
    pub fn key(&self) -> ClusterKey {
        ClusterKey::new(&self.namespace, &self.name)
    }

    /// Makes a child go with its cluster.
    pub fn owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: VibeTalkCluster::api_version(&()).into_owned(),
            kind: VibeTalkCluster::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// Names the resource in an event.
    pub fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(VibeTalkCluster::api_version(&()).into_owned()),
            kind: Some(VibeTalkCluster::kind(&()).into_owned()),
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()),
            uid: Some(self.uid.clone()),
            ..ObjectReference::default()
        }
    }
}

fn without_managers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let Metadata(fields) = Metadata::deserialize(deserializer)?;
    ObjectMeta::deserialize(Value::Object(fields)).map_err(D::Error::custom)
}

fn parse_spec(value: &Value) -> Result<VibeTalkClusterSpec, InvalidSpec> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| InvalidSpec { field: error.path().to_string(), problem: error.inner().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_bad_spec_is_named_by_its_field() {
        let mut raw = fixture::raw_cluster();
        raw.spec["drain"]["window"] = "0s".into();
        let cluster = Cluster::parse(&raw, &fixture::defaults()).unwrap();
        let invalid = cluster.spec.unwrap_err();
        assert_eq!(invalid.field, "drain.window");
        assert!(
            cluster.rabbitmq.is_some(),
            "the exchanges are still known, so that deletion can remove them"
        );
    }

    #[test]
    fn what_is_kept_as_text_comes_back_as_it_was() {
        let mut raw = fixture::raw_cluster();
        raw.status = serde_json::json!({ "observedGeneration": 7 });
        let mut sent = serde_json::to_value(&raw).unwrap();
        sent["metadata"]["annotations"] = serde_json::json!({ LAST_APPLIED: "{}", "other": "x" });
        let kept: KeptCluster = serde_json::from_value(sent).unwrap();
        assert_eq!(
            (kept.observed_generation, kept.metadata.annotations.as_ref().unwrap().len()),
            (Some(7), 1)
        );
        let back = kept.raw();
        assert_eq!((back.spec, back.status), (raw.spec, raw.status));
    }

    #[test]
    fn the_operators_image_is_used_where_the_spec_names_none() {
        let mut raw = fixture::raw_cluster();
        let image = |raw: &RawCluster| Cluster::parse(raw, &fixture::defaults()).unwrap().image;
        assert_eq!(image(&raw), fixture::defaults().chat_node_image);
        raw.spec["image"] = "mine:1".into();
        assert_eq!(image(&raw), "mine:1");
    }
}

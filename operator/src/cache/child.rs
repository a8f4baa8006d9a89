//! An object of a cluster, of any kind.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::metadata::Metadata;
use super::mirror::{self, Place, Told};
use crate::resources::Kind;

/// An object as the API server sends it, without the list of who manages which field, which is most of it.
#[derive(Clone, Debug)]
pub struct Child {
    metadata: ObjectMeta,
    body: Value,
}

struct Body;

impl<'de> Deserialize<'de> for Child {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = deserializer.deserialize_map(Body)?;
        let metadata = body.get("metadata").ok_or_else(|| D::Error::missing_field("metadata"))?;
        let metadata = ObjectMeta::deserialize(metadata).map_err(D::Error::custom)?;
        Ok(Self { metadata, body: Value::Object(body) })
    }
}

impl<'de> Visitor<'de> for Body {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Map<String, Value>, A::Error> {
        let mut body = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = if key == "metadata" {
                let Metadata(fields) = map.next_value()?;
                Value::Object(fields)
            } else {
                map.next_value()?
            };
            body.insert(key, value);
        }
        Ok(body)
    }
}

impl Child {
    /// The whole object.
    pub fn into_body(mut self, kind: Kind) -> Value {
        // The API server leaves both out of the elements of a list.
        self.body["apiVersion"] = kind.resource().api_version.into();
        self.body["kind"] = kind.name().into();
        self.body
    }

    /// Where it is kept, and its text; nothing if it has no name.
    pub(super) fn told(self, kind: Kind) -> Option<Told<Box<str>>> {
        let ObjectMeta { namespace, name, resource_version, .. } = &self.metadata;
        let place = Place::of_child(namespace.as_deref()?, name.as_deref()?);
        let version = mirror::version(resource_version.as_deref());
        Some(Told { place, version, value: Some(self.into_body(kind).to_string().into()) })
    }
}

impl Resource for Child {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

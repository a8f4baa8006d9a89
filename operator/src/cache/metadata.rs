//! An object's metadata without the list of who manages which field. That is half of most objects, and nobody here asks
//! for it: it is not even taken apart.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

const MANAGERS: &str = "managedFields";

/// The fields of the metadata.
pub(crate) struct Metadata(pub(crate) Map<String, Value>);

struct Fields;

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == MANAGERS {
                map.next_value::<IgnoredAny>()?;
            } else {
                fields.insert(key, map.next_value()?);
            }
        }
        Ok(Metadata(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_managers_is_kept() {
        let text =
            r#"{"name":"demo","managedFields":[{"manager":"x","fieldsV1":{"f:a":{}}}],"labels":{"a":"b"}}"#;
        let Metadata(fields) = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(fields), serde_json::json!({ "name": "demo", "labels": { "a": "b" } }));
    }
}

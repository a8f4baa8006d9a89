//! Closes what the types leave open in the schema: Kubernetes' own types bound nothing, and a spec of many megabytes,
//! or one whose rules are dear to evaluate, is refused best by the API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// Longest string without a bound of its own; room for any name, selector or annotation.
const MAX_LENGTH: i64 = 4_096;
/// Most elements or entries without a bound of their own.
const MAX_ITEMS: i64 = 64;

/// Bounds every string, list and map below `schema`, and makes `null` mean "absent" everywhere: the API server drops
/// it where it is not allowed, so that no rule has to tell the two apart.
pub(crate) fn close(schema: &mut JSONSchemaProps) {
    if schema.nullable.take() == Some(true)
        && let Some(values) = &mut schema.enum_
    {
        values.retain(|value| value.0 != Value::Null);
    }
    match schema.type_.as_deref() {
        Some("string") if schema.enum_.is_none() && schema.format.is_none() => {
            schema.max_length.get_or_insert(MAX_LENGTH);
        }
        Some("array") => drop(schema.max_items.get_or_insert(MAX_ITEMS)),
        Some("object") if schema.additional_properties.is_some() => {
            schema.max_properties.get_or_insert(MAX_ITEMS);
        }
        _ => {}
    }
    schema.properties.iter_mut().flatten().for_each(|(_, property)| close(property));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        close(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        close(values);
    }
}

/// Visits `schema` and every property below it, by its path.
pub(crate) fn walk(path: &str, schema: &JSONSchemaProps, visit: &mut impl FnMut(&str, &JSONSchemaProps)) {
    visit(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        walk(&format!("{path}[]"), items, visit);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        walk(&format!("{path}{{}}"), values, visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_property(mut visit: impl FnMut(&str, &JSONSchemaProps)) {
        let definition = crate::yaml::definition();
        let root = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
        walk("", &root, &mut |path, property| {
            if !path.is_empty() {
                visit(path, property);
            }
        });
    }

    #[test]
    fn every_property_is_explained() {
        every_property(|path, property| {
            let is_element = path.ends_with("[]") || path.ends_with("{}");
            assert!(is_element || property.description.is_some(), "{path} has no description");
        });
    }

    #[test]
    fn everything_is_bounded_and_nothing_is_open() {
        every_property(|path, property| {
            let open = match property.type_.as_deref() {
                Some("string") => {
                    property.max_length.is_none() && property.enum_.is_none() && property.format.is_none()
                }
                Some("array") => property.max_items.is_none(),
                Some("object") => {
                    property.properties.is_none()
                        && property.additional_properties.is_some()
                        && property.max_properties.is_none()
                }
                Some("integer" | "number") => property.format.is_none() && property.maximum.is_none(),
                Some("boolean") => false,
                _ => property.x_kubernetes_int_or_string != Some(true),
            };
            assert!(!open, "{path} has no bound: {property:?}");
            assert_eq!(property.nullable, None, "{path}");
            assert_eq!(property.x_kubernetes_preserve_unknown_fields, None, "{path}");
        });
    }
}

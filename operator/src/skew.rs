//! Whether the API server's schema of the resource has every field that this operator knows. What it lacks is dropped
//! there without a word: an operator was upgraded and the definition was not. Read from the OpenAPI document, which
//! everybody who is signed in may read.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use serde::Deserialize;

use crate::act::explain;
use crate::backoff::jitter;
use crate::metrics::Metrics;

const DEADLINE: Duration = Duration::from_secs(8);
/// What is missing is looked for once more: a definition that was just replaced is published a moment later.
const AGAIN: Duration = Duration::from_secs(3);
/// Fields in the warning; more are counted.
const MAX_NAMED: usize = 5;
/// The group of the resource.
pub const GROUP: &str = "vibetalk.dev";

/// Which fields there are; of an OpenAPI schema nothing else is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shape {
    properties: BTreeMap<String, Shape>,
    items: Option<Box<Shape>>,
    #[serde(rename = "additionalProperties")]
    values: Option<Values>,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    is_open: bool,
}

/// What stands under the keys of a map.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    Alike(Box<Shape>),
    Any(bool),
}

#[derive(Deserialize)]
struct Document {
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    schemas: BTreeMap<String, Shape>,
}

/// Why the schemas cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Incomparable {
    /// The API server did not give its document.
    #[error("{}", explain(.0))]
    Unread(#[from] kube::Error),
    /// It has no such resource.
    #[error("the OpenAPI document has no {0}")]
    Absent(String),
    /// The operator's own schema cannot be read, which no input can cause.
    #[error("the operator's own schema: {0}")]
    Own(#[from] serde_json::Error),
}

/// Compares, and warns of what the API server's schema lacks. Never an error: the operator works with what it has.
pub async fn look(client: Client, metrics: Metrics) {
    let compare = async {
        if missing(&client, GROUP).await?.is_empty() {
            return Ok(Vec::new());
        }
        tokio::time::sleep(jitter(AGAIN)).await;
        missing(&client, GROUP).await
    };
    match tokio::time::timeout(DEADLINE, compare).await {
        Ok(Ok(missing)) => {
            metrics.schema_fields_missing(missing.len());
            if !missing.is_empty() {
                tracing::warn!("{}", warning(&missing));
            }
        }
        Ok(Err::<_, Incomparable>(error)) => {
            tracing::info!(%error, "the API server's schema was not compared")
        }
        Err(_) => tracing::info!("the API server's schema was not compared: no answer in time"),
    }
}

/// The paths of the fields that the definition in `group` lacks, in order.
///
/// # Errors
/// If there is nothing to compare with.
pub async fn missing(client: &Client, group: &str) -> Result<Vec<String>, Incomparable> {
    let request = axum::http::Request::get(format!("/openapi/v3/apis/{group}/v1alpha1")).body(Vec::new());
    let request = request.map_err(kube::Error::HttpError)?;
    let mut document: Document = client.request(request).await?;
    let backwards: Vec<_> = group.rsplit('.').collect();
    let name = format!("{}.v1alpha1.VibeTalkCluster", backwards.join("."));
    let served = document.components.schemas.remove(&name).ok_or(Incomparable::Absent(name))?;
    Ok(lacks(&served, &own()?))
}

fn own() -> Result<Shape, serde_json::Error> {
    let schemas = crds::yaml::definition().spec.versions.into_iter().filter_map(|version| version.schema);
    let root = schemas.filter_map(|schema| schema.open_api_v3_schema).next();
    root.map_or_else(|| Ok(Shape::default()), |root| serde_json::from_value(serde_json::to_value(root)?))
}

fn lacks(served: &Shape, own: &Shape) -> Vec<String> {
    let mut missing = Vec::new();
    add_lacks("", (served, own), &mut missing);
    missing
}

fn add_lacks(path: &str, (served, own): (&Shape, &Shape), missing: &mut Vec<String>) {
    // There everything is kept.
    if served.is_open {
        return;
    }
    for (name, own) in &own.properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match served.properties.get(name) {
            Some(served) => add_lacks(&path, (served, own), missing),
            None => missing.push(path),
        }
    }
    if let (Some(served), Some(own)) = (&served.items, &own.items) {
        add_lacks(&format!("{path}[]"), (served, own), missing);
    }
    let each = || format!("{path}{{}}");
    match (&served.values, &own.values) {
        (Some(Values::Alike(served)), Some(Values::Alike(own))) => add_lacks(&each(), (served, own), missing),
        (Some(Values::Any(false)), Some(_)) => missing.push(each()),
        _ => {}
    }
}

fn warning(missing: &[String]) -> String {
    let more = missing.len().saturating_sub(MAX_NAMED);
    let named = missing[..missing.len() - more].join(", ");
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!(
        "the API server's VibeTalkClusters are older than this operator: it drops {named}{more}; bring them up to date \
         with `vibetalk-operator crds | kubectl apply --server-side -f -`, or `helm upgrade` with this operator's chart"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shape(schema: &Value) -> Shape {
        serde_json::from_value(schema.clone()).unwrap()
    }

    fn object(properties: Value) -> Value {
        json!({ "type": "object", "properties": properties })
    }

    #[test]
    fn a_schema_lacks_nothing_of_itself_nor_of_an_older_one() {
        let own = own().unwrap();
        assert!(own.properties["spec"].properties.len() > 10);
        assert_eq!(lacks(&own, &own), [""; 0]);
        let older = shape(&object(json!({ "spec": object(json!({ "replicas": {} })) })));
        assert_eq!(lacks(&own, &older), [""; 0]);
    }

    #[test]
    fn what_is_missing_is_named_by_its_path_wherever_it_is() {
        let whole = object(json!({
            "a": object(json!({ "x": { "type": "string" }, "y": object(json!({ "deep": {} })) })),
            "list": { "type": "array", "items": object(json!({ "x": {}, "y": {} })) },
            "map": { "type": "object", "additionalProperties": object(json!({ "x": {}, "y": {} })) },
            "text": { "type": "object", "additionalProperties": { "type": "string" } },
        }));
        let mut part = whole.clone();
        for parent in ["/a", "/list/items", "/map/additionalProperties"] {
            let pointer = parent.replacen('/', "/properties/", 1) + "/properties";
            part.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove("y");
        }
        part["properties"]["text"]["additionalProperties"] = true.into();
        assert_eq!(lacks(&shape(&part), &shape(&whole)), ["a.y", "list[].y", "map{}.y"]);
    }

    #[test]
    fn where_unknown_fields_are_kept_nothing_is_missing() {
        let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        assert_eq!(lacks(&shape(&open), &own().unwrap()), [""; 0]);
    }

    #[test]
    fn the_warning_names_the_first_fields_and_the_next_step() {
        let missing: Vec<_> = (0..7).map(|number| format!("spec.f{number}")).collect();
        let text = warning(&missing);
        assert!(text.contains("spec.f0, spec.f1, spec.f2, spec.f3, spec.f4 and 2 more;"), "{text}");
        assert!(text.contains("kubectl apply --server-side") && text.contains("helm upgrade"), "{text}");
        assert!(warning(&missing[..1]).contains("it drops spec.f0;"));
    }
}

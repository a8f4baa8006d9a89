//! The CRD as YAML.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{VibeTalkCluster, schema};

const HEADER: &str = "\
# Generated from crds/src/cluster.rs. Do not edit; after a change there, run
#   cargo run --bin vibetalk-operator crds | tee crds/vibetalkclusters.yaml > charts/vibetalk-operator/files/vibetalkclusters.yaml
";

/// The `CustomResourceDefinition` as a value, for `kubectl apply` and for the chart.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = VibeTalkCluster::crd();
    for version in &mut definition.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            schema::close(root);
        }
    }
    definition
}

/// The messages of all rules that the API server evaluates.
pub fn rule_messages() -> Vec<String> {
    let schemas = definition().spec.versions.into_iter().filter_map(|version| version.schema);
    let mut messages = Vec::new();
    for root in schemas.filter_map(|schema| schema.open_api_v3_schema) {
        schema::walk("", &root, &mut |_, part| {
            messages.extend(
                part.x_kubernetes_validations.iter().flatten().filter_map(|rule| rule.message.clone()),
            );
        });
    }
    messages
}

/// The text of `vibetalkclusters.yaml`.
///
/// # Errors
/// If the definition cannot be written as YAML, which no input can cause.
pub fn text() -> Result<String, serde_yaml::Error> {
    Ok(format!("{HEADER}{}", serde_yaml::to_string(&definition())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_the_types_say() {
        let file = include_str!("../vibetalkclusters.yaml");
        assert!(
            file == text().unwrap(),
            "crds/vibetalkclusters.yaml is out of date: run the command in its first lines"
        );
    }

    #[test]
    fn the_definition_is_small_enough_for_client_side_apply() {
        let size = serde_json::to_string(&definition()).unwrap().len();
        assert!(size < 128 * 1024, "{size} bytes; `kubectl apply` keeps a copy in an annotation of 256 KiB");
    }

    #[test]
    fn kubectl_get_shows_what_a_user_asks_first() {
        let columns = definition().spec.versions[0].additional_printer_columns.clone().unwrap();
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["Ready", "Replicas", "Partitions", "Routing", "URL", "Age"]);
    }
}

//! The API server's definition beside the operator's own.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::Client;
use operator::skew::{GROUP, missing};

use crate::namespace::{Namespace, eventually};
use crate::server::install;

/// An older definition, in a group of its own beside the tests' other clusters.
const OLDER: &str = "older.vibetalk.dev";

fn properties<'a>(schema: &'a mut JSONSchemaProps, name: &str) -> &'a mut JSONSchemaProps {
    schema.properties.as_mut().unwrap().get_mut(name).unwrap()
}

fn older() -> CustomResourceDefinition {
    let mut definition = crds::yaml::definition();
    definition.metadata.name = Some(format!("vibetalkclusters.{OLDER}"));
    definition.spec.group = OLDER.to_owned();
    let schema = definition.spec.versions[0].schema.as_mut().unwrap();
    let root = schema.open_api_v3_schema.as_mut().unwrap();
    let spec = properties(root, "spec");
    spec.properties.as_mut().unwrap().remove("limits").unwrap();
    let group = properties(spec, "officialGroup");
    group.properties.as_mut().unwrap().remove("posting").unwrap();
    group.default = None;
    definition
}

#[tokio::test]
async fn fields_that_an_older_definition_lacks_are_found_and_the_operators_own_lacks_none() {
    let Some(namespace) = Namespace::empty().await else { return };
    let (admin, operator) = (namespace.server.admin(), namespace.server.operator());
    install(&Client::try_from(admin).unwrap(), older()).await;
    let operator = Client::try_from(operator).unwrap();
    // It is published a moment after it is installed.
    for (group, fields) in [(GROUP, &[][..]), (OLDER, &["spec.limits", "spec.officialGroup.posting"])] {
        eventually(&format!("{group} lacks {fields:?}"), async || {
            missing(&operator, group).await.is_ok_and(|missing| missing == fields)
        })
        .await;
    }
}
